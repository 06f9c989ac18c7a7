#!/usr/bin/env bash
# files/: the files of a tape by number and name, for any tool that seeks.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires tar cmp rsync

# Whole volumes are listed and copied here: each tape file once.
MOUNT_OPTIONS=noarchives
start_store
F=$MNT/files/default
T=$MNT/tapes/default
cd "$scratch"
mkdir src
head -c 3000000 /dev/urandom >src/random
seq 100000 >src/numbers
: >src/empty
truncate -s 3M src/holes
echo end >>src/holes

# What tar wrote as two tape files, read as two ordinary ones
tar -cf "$T/A" -b 128 src
tar -cf - src/numbers | cat >>"$T/A"
assert_eq "$(ls "$F/A" | tr '\n' ' ')" "0001 0002 "
tar -df "$F/A/0001"
tar -df "$F/A/0002"
tar -xOf "$F/A/0001" src/random | cmp - src/random
for off in 0 1 65535 65536 1000000; do
  cmp <(dd if="$F/A/0001" bs=5000 count=1 iflag=skip_bytes skip=$off status=none) \
    <(dd if="$F/A/0001" bs=1 skip=$off count=5000 status=none)
done

# What cp and rsync put there, read as a tape
mkdir "$F/B"
cp -p src/* "$F/B/"
diff -r src "$F/B"
for f in src/*; do
  assert_eq "$(stat -c '%s %y %a' "$F/B/${f#src/}")" "$(stat -c '%s %y %a' "$f")"
done
rsync -a src/random "$F/B/by-rsync"
cmp src/random "$F/B/by-rsync"
mv "$F/B/by-rsync" "$F/B/renamed"
cmp src/random "$F/B/renamed"
cmp src/random "$F/B/000$(ls src | wc -l | awk '{print $1 + 1}')"

# What is on a tape stays
assert_fails rm "$F/B/renamed" 2>/dev/null
assert_fails cp src/numbers "$F/B/renamed" 2>/dev/null
assert_fails truncate -s 0 "$F/B/renamed" 2>/dev/null
cmp src/random "$F/B/renamed"

# Written over through another door, the names are gone with the files
echo new >"$T/B"
assert_eq "$(ls "$F/B")" 0001
cp -r "$F/A" "$F/C"
cmp "$F/A/0001" "$F/C/0001"
cmp "$F/A/0002" "$F/C/0002"

# Names survive a restart
cp src/numbers "$F/B/numbers"
stop_store
start_store
assert_eq "$(ls "$F/B" | tr '\n' ' ')" "0001 numbers "
cmp src/numbers "$F/B/numbers"
stop_store
