#!/usr/bin/env bash
# tapes/: what tar, cat, cp, cpio, dd and the usual file tools do to a tape that is a file.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires mbuffer pv tar cpio dd cmp

start_store
T=$MNT/tapes/default
src=$scratch/src
mkdir -p "$src/sub"
head -c 3000000 /dev/urandom >"$src/random"
seq 100000 >"$src/sub/numbers"
: >"$src/empty"
cd "$scratch"

# tar, at the record size of its choice: create, list, compare, extract, append, update, concatenate
for b in 1 20 128 2040; do
  tar -cf "$T/TAR" -b "$b" src
  tar -df "$T/TAR" -b "$b" || fail "tar -d finds a difference at -b $b"
  assert_eq "$(tar -tf "$T/TAR" -b "$b" | sort)" "$(find src | sed 's,\(src\|sub\)$,\1/,' | sort)"
done
tar -cf "$T/TAR" -b 128 src
echo appended >more
tar -rf "$T/TAR" -b 128 more
tar -df "$T/TAR" -b 128 || fail "tar -d finds a difference after -r"
tar -cf part.tar -C src sub
tar -Af "$T/TAR" -b 128 part.tar
tar -tf "$T/TAR" -b 128 | grep -qx sub/numbers || fail "tar -A did not append"
echo updated >more
touch -d '+2 seconds' more
tar -uf "$T/TAR" -b 128 more
mkdir out
tar -xf "$T/TAR" -b 128 -C out
cmp out/more more
diff -r src out/src
tar -xf "$T/TAR" -b 128 -O src/random | cmp - src/random
tar -czf "$T/GZ" -b 128 src
tar -xzf "$T/GZ" -b 128 -O src/random | cmp - src/random

# A record longer than the reader's buffer is no end of file.
assert_fails tar -tf "$T/TAR" -b 20 2>err
grep -q "Cannot allocate memory" err || fail "a short buffer is told otherwise: $(cat err)"

# cat and cp both ways; cp -p keeps times and modes
cat "$src/random" >"$T/CAT"
cmp "$T/CAT" "$src/random"
chmod 640 "$src/random"
touch -d '2001-02-03 04:05:06.789' "$src/random"
cp -p "$src/random" "$T/CP"
assert_eq "$(stat -c '%s %a %y' "$T/CP")" "$(stat -c '%s %a %y' "$src/random")"
cp -p "$T/CP" back
cmp back "$src/random"
assert_eq "$(stat -c '%s %a %y' back)" "$(stat -c '%s %a %y' "$src/random")"
cp "$T/CP" "$T/CP2"
cmp "$T/CP2" "$src/random"

# >> makes the next tape file; several programs through one descriptor make one
echo one >"$T/APP"
echo two >>"$T/APP"
assert_eq "$(cat "$MNT/files/default/APP/0001")" one
assert_eq "$(cat "$MNT/files/default/APP/0002")" two
assert_eq "$(cat "$T/APP")" one
{ echo a; (echo b); echo c | cat; } >"$T/APP"
assert_eq "$(ls "$MNT/files/default/APP")" 0001
assert_eq "$(dd if="$T/APP" bs=64 count=1 status=none)" a
assert_eq "$(cat "$T/APP")" "$(printf 'a\nb\nc')"
: >"$T/APP"
assert_eq "$(cat "$T/APP")" "$(printf 'a\nb\nc')"

# cpio and dd; records that do not pass in one piece are refused, not cut
(cd src && find . | cpio -o -C 65536 -O "$T/CPIO" 2>/dev/null)
(mkdir cpio && cd cpio && cpio -id -C 65536 -I "$T/CPIO" 2>/dev/null)
diff -r src cpio
dd if="$src/random" of="$T/DD" bs=1044480 conv=notrunc status=none
dd if="$T/DD" bs=1044480 status=none | cmp - "$src/random"
dd if="$T/DD" bs=4M status=none | cmp - "$src/random"
for bs in 1044481 1M 2M; do
  assert_fails dd if="$src/random" of="$T/DD2" bs=$bs status=none 2>err
  grep -q "Invalid argument" err || fail "bs=$bs: $(cat err)"
  assert_eq "$(stat -c %s "$T/DD2")" 0
done
assert_fails dd if="$T/DD" of=/dev/null bs=64k status=none 2>/dev/null

# Through pipes that buffer, both ways
tar -cf - -b 128 src | mbuffer -q -s 65536 -m 1M -o "$T/MBUFFER" 2>/dev/null
mbuffer -q -s 65536 -m 1M -i "$T/MBUFFER" 2>/dev/null | tar -xOf - -b 128 src/random | cmp - "$src/random"
pv -q "$src/random" >"$T/PV"
dd if="$T/PV" bs=1M status=none | pv -q | cmp - "$src/random" # pv itself reads as much as its buffer has room for, and passes over what fails

# The file tools
mkdir "$MNT/tapes/second"
mv "$T/DD" "$MNT/tapes/second/MOVED"
mv "$MNT/tapes/second/MOVED" "$T/CAT"
dd if="$T/CAT" bs=1044480 status=none | cmp - "$src/random"
rmdir "$MNT/tapes/second"
# The same tape at another door: mv must not take it for another file system, remove it there and find nothing to copy.
assert_fails mv -f "$T/CAT" "$MNT/images/default/CAT.tap" 2>/dev/null
dd if="$T/CAT" bs=1044480 status=none | cmp - "$src/random"
chmod 600 "$T/CAT"
assert_eq "$(stat -c %a "$T/CAT")" 600
touch -d '2010-01-01 00:00:00' "$T/CAT"
assert_eq "$(stat -c %y "$T/CAT" | cut -c 1-10)" 2010-01-01
rm "$T/CAT"
assert_fails stat "$T/CAT" 2>/dev/null
df "$MNT" >/dev/null
assert_fails ln -s x "$T/LINK" 2>/dev/null
assert_fails mkfifo "$T/FIFO" 2>/dev/null

# Nothing of it is lost when the mount ends while a tape is open.
exec 9>"$T/OPEN"
head -c 100000 "$src/random" >&9
assert_fails fusermount3 -u "$MNT" 2>/dev/null
exec 9>&-
stop_store
start_store
cmp "$T/CP" "$src/random"
assert_eq "$(stat -c %s "$T/OPEN")" 100000

# A daemon that is told to end writes open tapes out first, mark and all.
exec 9>"$T/OPEN2"
head -c 100000 "$src/random" >&9
kill -TERM "$daemon"
wait_until 30 ended "$daemon" || fail "the daemon does not end at SIGTERM"
assert_fails grep -qF " $MNT fuse" /proc/self/mounts
exec 9>&- || true
start_store
assert_eq "$(ls "$MNT/files/default/OPEN2")" 0001
head -c 100000 "$src/random" | cmp - "$MNT/files/default/OPEN2/0001"
stop_store
