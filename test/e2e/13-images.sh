#!/usr/bin/env bash
# images/: whole tapes as files, copied out, in, between two stores, changed in place, cut short and gone on with.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires tar cmp rsync

start_store
I=$MNT/images/default
T=$MNT/tapes/default
cd "$scratch"
mkdir src plain
head -c 2000000 /dev/urandom >src/random
seq 100000 >src/numbers
for i in 1 2 3; do
  tar -cf "$T/T$i" -b 128 src
  echo "tape $i" >>"$T/T$i"
done
touch "$I/BLANK.tap"

# A whole folder out, and into a second store; between two mounts; with its times, and nothing to do the second time.
rsync -a "$I/" plain/
diff -r "$I" plain
vtape init "$scratch/store2" >/dev/null
mkdir mnt2
vtape mount "$scratch/store2" "$scratch/mnt2" >/dev/null
mounted+=("$scratch/mnt2")
J=$scratch/mnt2/images/default
rsync -a plain/ "$J/"
diff -r plain "$J"
assert_says "" rsync -ai plain/ "$J/"
tar -df "$scratch/mnt2/tapes/default/T1" -b 128
assert_eq "$(cat "$scratch/mnt2/files/default/T1/0002")" "tape 1"
mkdir "$scratch/mnt2/images/other"
for f in "$I"/*.tap; do
  rsync -a "$f" "$scratch/mnt2/images/other/X${f##*/}"
done
for f in "$I"/*.tap; do
  cmp "$f" "$scratch/mnt2/images/other/X${f##*/}"
  assert_eq "$(stat -c '%s %y %a' "$f")" "$(stat -c '%s %y %a' "$scratch/mnt2/images/other/X${f##*/}")"
done
assert_says "" rsync -ai --inplace "$I/" "$J/"

# A tape that changed: whole, in place, and appended to
tar -cf "$T/T1" -b 128 src/numbers
rsync -a "$I/T1.tap" "$J/"
cmp "$I/T1.tap" "$J/T1.tap"
echo more >>"$T/T2"
rsync -a --inplace --no-whole-file "$I/T2.tap" "$J/"
cmp "$I/T2.tap" "$J/T2.tap"
echo still more >>"$T/T2"
rsync -a --append-verify "$I/T2.tap" "$J/"
cmp "$I/T2.tap" "$J/T2.tap"
cp plain/T3.tap changed.tap
printf XXXX | dd of=changed.tap bs=1 seek=100000 conv=notrunc status=none
rsync -aI --inplace --no-whole-file changed.tap "$J/T3.tap"
cmp changed.tap "$J/T3.tap"
rsync -aI --inplace plain/T3.tap "$J/T3.tap"
cmp plain/T3.tap "$J/T3.tap"
head -c 65544 plain/T3.tap >short.tap
rsync -aI --inplace short.tap "$J/T3.tap"
cmp short.tap "$J/T3.tap"

# Cut short: no tape, but kept, and gone on with
head -c 100000 plain/T3.tap >part.tap
assert_fails cp part.tap "$I/P.tap" 2>err
grep -q "Invalid argument" err
assert_fails stat "$T/P" 2>/dev/null
cmp part.tap "$I/P.tap"
stop_store
start_store
cmp part.tap "$I/P.tap"
rsync -a --append-verify plain/T3.tap "$I/P.tap"
cmp plain/T3.tap "$I/P.tap"
tar -df "$T/P" -b 128
assert_fails cp part.tap "$I/Q.tap" 2>/dev/null
rsync -a --inplace plain/T3.tap "$I/Q.tap"
cmp plain/T3.tap "$I/Q.tap"

# rsync, interrupted and gone on with, however it keeps what it has; where there was no tape there is none until it is whole
head -c 30000000 /dev/urandom >src/big
tar -cf "$T/BIG" -b 128 src/big
for how in --no-partial --partial --inplace; do
  assert_fails timeout -s INT 1 rsync -a --bwlimit=10M $how "$I/BIG.tap" "$J/BIG.tap" 2>/dev/null
  assert_fails stat "$scratch/mnt2/tapes/default/BIG" 2>/dev/null
  rsync -a $how "$I/BIG.tap" "$J/BIG.tap"
  cmp "$I/BIG.tap" "$J/BIG.tap"
  # Interrupted over a good tape: that stays, or the new one is there; never something between.
  timeout -s INT 1 rsync -aI --bwlimit=10M $how plain/T3.tap "$J/BIG.tap" 2>/dev/null || true
  cmp -s "$I/BIG.tap" "$J/BIG.tap" || cmp plain/T3.tap "$J/BIG.tap"
  rm "$J/BIG.tap"
done
rm "$T/BIG"

# Broken: never over a good one
for way in "cp part.tap $I/P.tap" "dd if=/dev/urandom of=$I/P.tap bs=64k count=3 status=none" \
  "dd if=/dev/urandom of=$I/P.tap bs=64k count=3 conv=notrunc status=none"; do
  assert_fails $way 2>/dev/null
  cmp plain/T3.tap "$I/P.tap"
done
cp part.tap "$I/.part"
assert_fails mv "$I/.part" "$I/P.tap" 2>/dev/null
cmp plain/T3.tap "$I/P.tap"
rm "$I/.part"

# An end of medium word comes back as it came
(cat short.tap; printf '\0\0\0\0\377\377\377\377') >end.tap
cp end.tap "$I/END.tap"
cmp end.tap "$I/END.tap"

# Names
mv "$I/END.tap" "$I/FIN.tap"
cmp end.tap "$I/FIN.tap"
[ -e "$T/FIN" ] && [ ! -e "$T/END" ] || fail "mv of an image is not mv of the tape"
mv "$I/P.tap" "$I/FIN.tap"
cmp plain/T3.tap "$I/FIN.tap"
assert_eq "$(ls -A "$I" | tr '\n' ' ')" "BLANK.tap FIN.tap Q.tap T1.tap T2.tap T3.tap "
rm "$I/Q.tap"
[ ! -e "$T/Q" ] || fail "rm of an image is not rm of the tape"
stop_store
vtape umount "$scratch/mnt2"
