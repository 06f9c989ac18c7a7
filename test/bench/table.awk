# SPDX-License-Identifier: BSD-2-Clause
# Reads the results of test/bench/run ("system test value [cpu of client, cpu of server, MiB of client]"), prints medians.
function median(key, n, i, j, x, a) {
	n = count[key]
	for (i = 1; i <= n; i++) a[i] = values[key, i]
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && a[j - 1] > a[j]; j--) { x = a[j]; a[j] = a[j - 1]; a[j - 1] = x }
	return n ? (n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2) : ""
}
function keep(key, v) { values[key, ++count[key]] = v }
function m(sys, test) { return median(sys " " test) }
function cell(v, fmt) { return v == "" ? "-" : sprintf(fmt, v) }
function ratio(a, b) { return a == "" || b == "" || b == 0 ? "-" : sprintf("%.2f", a / b) }
function memory(sys) {
	if (sys == "null" || sys == "disk") return ""
	return m(sys, "peak_new") != "" ? m(sys, "peak_new") : m(sys, "new/m")
}
function row(test, words, sys, i) {
	printf "%-22s", words
	for (i = 1; i <= systems; i++) printf "%11s", cell(m(system_of[i], test), "%.0f")
	i = test ~ /^restore/ ? "restore" : "new"
	printf "%12s%12s%12s\n", ratio(m("vtape", test), m("borg", test)), ratio(m("zstd", test), m("borg", test)),
	       ratio(m("vtape", test), m("null", i))
}
function cpu(test, words, i, k) {
	printf "%-22s", words
	for (i = 1; i <= systems; i++) {
		k = system_of[i] " " test
		printf "%11s", count[k "/c"] ? sprintf("%.1f", median(k "/c") + median(k "/d")) : "-"
	}
	printf "\n"
}
function judged(words, got, must, aim, unit, less) {
	if (got == "") return
	printf "%-44s %9.2f %-6s must %8.2f  aim %8.2f  %s\n", words, got, unit, must, aim,
	       (less ? got <= aim : got >= aim) ? "aim reached" : (less ? got <= must : got >= must) ? "reached" : "MISSED"
}
{ keep($1 " " $2, $3) }
NF > 3 { keep($1 " " $2 "/c", $4); keep($1 " " $2 "/d", $5); keep($1 " " $2 "/m", $6) }
END {
	systems = split("vtape zstd null borg restic disk", system_of, " ")
	split("vtape:lz4 vtape:zstd null-FUSE borg:lz4 restic disk", head, " ")
	if (m("input", "one") != "") {
		printf "\nMB/s, medians; first backup %.0f MB, second %.0f MB\n%-22s", m("input", "one") / 1e6, m("input", "two") / 1e6, ""
		for (i = 1; i <= systems; i++) printf "%11s", head[i]
		printf "%12s%12s%12s\n", "lz4/borg", "zstd/borg", "lz4/null"
		row("new", "new data"); row("same", "all duplicates"); row("changed", "second backup")
		row("restore", "restore, warm"); row("restore2", "restore the second")
		printf "\nCPU seconds, client and daemon\n"
		cpu("new", "new data"); cpu("same", "all duplicates"); cpu("changed", "second backup")
		cpu("restore", "restore, warm"); cpu("restore2", "restore the second")
		printf "\nMiB of memory at most (vtape: the daemon), MB on disk\n"
		printf "%-22s", "memory, new data"
		for (i = 1; i <= systems; i++) printf "%11s", cell(memory(system_of[i]), "%.0f")
		printf "\n%-22s", "memory, all of it"
		for (i = 1; i <= systems; i++) { k = system_of[i]; printf "%11s", cell(m(k, "peak"), "%.0f") }
		printf "\n%-22s", "space, first backup"
		for (i = 1; i <= systems; i++) printf "%11s", cell(m(system_of[i], "space_one") == "" ? "" : m(system_of[i], "space_one") / 1e6, "%.0f")
		printf "\n%-22s", "space, all three"
		for (i = 1; i <= systems; i++) printf "%11s", cell(m(system_of[i], "space_three") == "" ? "" : m(system_of[i], "space_three") / 1e6, "%.0f")
		printf "\n%-22s", "written / on disk"
		total = 2 * m("input", "one") + m("input", "two")
		for (i = 1; i <= systems; i++) printf "%11s", m(system_of[i], "space_three") == "" ? "-" : sprintf("%.2f", total / m(system_of[i], "space_three"))
		printf "\n%-22s", "dedup alone"
		for (i = 1; i <= systems; i++) printf "%11s", cell(m(system_of[i], "dedup"), "%.2f")
		printf "\n"
	}
	printf "\n"
	if (m("borg", "new") != "" && m("vtape", "new") != "") {
		judged("new data, lz4, over borg", m("vtape", "new") / m("borg", "new"), 2, 3, "x")
		judged("all duplicates over borg", m("vtape", "same") / m("borg", "same"), 2, 2, "x")
		judged("restore over borg extract", m("vtape", "restore") / m("borg", "restore"), 2, 2, "x")
	}
	if (m("null", "new") != "" && m("vtape", "new") != "") {
		judged("all duplicates of the null file system", 100 * m("vtape", "same") / m("null", "new"), 0, 80, "%")
		judged("restore of the null file system", 100 * m("vtape", "restore") / m("null", "restore"), 0, 80, "%")
	}
	judged("memory of the daemon, one stream", m("vtape", "peak_new"), 256, 128, "MiB", 1)
	if (m("vtape", "chunks") != "")
		average = m("vtape", "unique") / m("vtape", "chunks")
	if (average) {
		printf "%-44s %9.0f bytes\n", "average chunk", average
		judged("filters of a TiB, ribbon of 7 bits a chunk", 2 ^ 40 / average * 7 / 8 / 2 ^ 20, 64, 30, "MiB", 1)
	}
	judged("mount of the store with many tapes", m("mount", "ms"), 1000, 200, "ms", 1)
	judged("ls of its tapes", m("mount", "ls_ms"), 1000, 1000, "ms", 1)
	judged("LOCATE, median", m("locate", "seek_median") == "" ? "" : m("locate", "seek_median") / 1000, 5, 1, "ms", 1)
	judged("LOCATE, 99 of 100", m("locate", "seek_p99") == "" ? "" : m("locate", "seek_p99") / 1000, 5, 1, "ms", 1)
	judged("LOCATE, slowest", m("locate", "seek_max") == "" ? "" : m("locate", "seek_max") / 1000, 5, 1, "ms", 1)
	if (m("locate", "read_median") != "")
		printf "%-44s %9.2f ms\n", "the read behind it, median", m("locate", "read_median") / 1000
}
