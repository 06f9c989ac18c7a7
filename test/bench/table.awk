# SPDX-License-Identifier: BSD-2-Clause
# Reads the results of test/bench/run, "system test value [CPU of client, of server, MiB of client]"; prints medians.
function median(key, n, i, j, x, a) {
	n = count[key]
	for (i = 1; i <= n; i++) a[i] = values[key, i]
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && a[j - 1] > a[j]; j--) { x = a[j]; a[j] = a[j - 1]; a[j - 1] = x }
	return n ? (n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2) : ""
}
function keep(key, v) { values[key, ++count[key]] = v }
function m(sys, test) { return median(sys " " test) }
function scaled(v, by) { return v == "" ? "" : v / by }
function ratio(a, b) { return a == "" || b == "" || b == 0 ? "" : a / b }
function cell(v, fmt) { printf "%11s", v == "" ? "-" : sprintf(fmt, v) }

# A row of the table: one value a system.  @what says which.
function value_of(sys, test, what, key) {
	key = sys " " test
	if (what == "cpu") return count[key "/c"] ? median(key "/c") + median(key "/d") : ""
	if (what == "bytes") return scaled(m(sys, test), 1e6)
	if (what == "ratio") return ratio(2 * m("input", "one") + m("input", "two"), m(sys, test))
	if (what == "memory" && (sys == "null" || sys == "disk")) return ""
	if (what == "memory" && m(sys, "peak_new") == "") return m(sys, "new/m")
	return m(sys, test)
}
function row(words, test, what, fmt, i, limit) {
	printf "%-22s", words
	for (i = 1; i <= systems; i++) cell(value_of(system_of[i], test, what), fmt)
	if (what == "speed") {
		limit = m("null", test ~ /^restore/ ? "restore" : "new")
		cell(ratio(m("vtape", test), m("borg", test)), "%.2f")
		cell(ratio(m("zstd", test), m("borg", test)), "%.2f")
		cell(ratio(m("vtape", test), limit), "%.2f")
	}
	printf "\n"
}
function rows(what, fmt) {
	row("new data", "new", what, fmt)
	row("all duplicates", "same", what, fmt)
	row("second backup", "changed", what, fmt)
	row("restore, warm", "restore", what, fmt)
	row("restore the second", "restore2", what, fmt)
}
function judged(words, got, must, aim, unit, less, verdict) {
	if (got == "") return
	verdict = must == "" ? "below the aim" : (less ? got <= must : got >= must) ? "reached" : "MISSED"
	if (less ? got <= aim : got >= aim) verdict = "aim reached"
	printf "%-44s %9.2f %-6s must %8s  aim %8s  %s\n", words, got, unit, must == "" ? "-" : must, aim, verdict
}

{ keep($1 " " $2, $3) }
NF > 3 { keep($1 " " $2 "/c", $4); keep($1 " " $2 "/d", $5); keep($1 " " $2 "/m", $6) }

END {
	systems = split("vtape zstd null borg restic disk", system_of, " ")
	columns = split("vtape:lz4 vtape:zstd null-FUSE borg:lz4 restic disk lz4/borg zstd/borg lz4/null", head, " ")
	if (m("input", "one") != "") {
		printf "\nMB/s, medians; first backup %.0f MB, second %.0f MB\n%-22s",
		       m("input", "one") / 1e6, m("input", "two") / 1e6, ""
		for (i = 1; i <= columns; i++) cell(head[i], "%s")
		printf "\n"
		rows("speed", "%.0f")
		printf "\nCPU seconds, client and daemon\n"
		rows("cpu", "%.1f")
		printf "\nMiB of memory at most (vtape: the daemon), MB on disk, written divided by that\n"
		row("memory, new data", "peak_new", "memory", "%.0f")
		row("memory, all of it", "peak", "value", "%.0f")
		row("space, first backup", "space_one", "bytes", "%.0f")
		row("space, all three", "space_three", "bytes", "%.0f")
		row("ratio, all three", "space_three", "ratio", "%.2f")
		row("dedup alone", "dedup", "value", "%.2f")
	}
	printf "\n"
	judged("new data, lz4, over borg", ratio(m("vtape", "new"), m("borg", "new")), 2, 3, "x")
	judged("all duplicates over borg", ratio(m("vtape", "same"), m("borg", "same")), 2, 2, "x")
	judged("restore over borg extract", ratio(m("vtape", "restore"), m("borg", "restore")), 2, 2, "x")
	part = scaled(ratio(m("vtape", "same"), m("null", "new")), 0.01)
	judged("all duplicates of the null file system", part, "", 80, "%")
	part = scaled(ratio(m("vtape", "restore"), m("null", "restore")), 0.01)
	judged("restore of the null file system", part, "", 80, "%")
	judged("memory of the daemon, one stream", m("vtape", "peak_new"), 256, 128, "MiB", 1)
	average = ratio(m("vtape", "unique"), m("vtape", "chunks"))
	if (average) {
		printf "%-44s %9.0f bytes\n", "average chunk", average
		# kv_rocks_options.c: a ribbon filter as good as 10 bits a key takes about 7; the rest may be on disk.
		judged("filters of a TiB, 7 bits a chunk", 2 ^ 40 / average * 7 / 8 / 2 ^ 20, 64, 30, "MiB", 1)
	}
	for (i = split("new same restore", test, " "); i; i--)
		judged("speed beside a scrub, " test[i], scaled(ratio(m("scrubbed", test[i]), m("alone", test[i])), 0.01),
		       90, 95, "%")
	judged("mount of the store with many tapes", m("mount", "ms"), 1000, 200, "ms", 1)
	judged("ls of its tapes", m("mount", "ls_ms"), 1000, 1000, "ms", 1)
	judged("LOCATE, median", scaled(m("locate", "seek_median"), 1000), 5, 1, "ms", 1)
	judged("LOCATE, 99 of 100", scaled(m("locate", "seek_p99"), 1000), 5, 1, "ms", 1)
	judged("LOCATE, slowest", scaled(m("locate", "seek_max"), 1000), 5, 1, "ms", 1)
	if (m("locate", "read_median") != "")
		printf "%-44s %9.2f ms\n", "the read behind it, median", m("locate", "read_median") / 1000
}
