#!/usr/bin/env bash
# Many programs at once, each at a door of its own, and one that lists everything: nobody is in anybody's way, no EBUSY
# comes from a file that was closed a moment ago, and everybody reads what he wrote.
#   16-crowd.sh [SECONDS]     8 unless said otherwise
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
MT=${MT:-mt}
requires tar cmp rsync "$MT"

start_store
T=$MNT/tapes/default I=$MNT/images/default F=$MNT/files/default D=$MNT/drives
cd "$scratch"
mkdir src
head -c 1500000 /dev/urandom >src/random
seq 30000 >src/numbers
vtape volume create D0 D1 >/dev/null
vtape drive load 0 D0 >/dev/null
vtape drive load 1 D1 >/dev/null
tar -cf "$T/FIRST" -b 128 src
cp "$I/FIRST.tap" a.tap
cp a.tap b.tap
printf XXXX | dd of=b.tap bs=1 seek=100000 conv=notrunc status=none
end=$((SECONDS + ${1:-8}))

again() { # FUNCTION ARG
  local n=0
  while [ "$SECONDS" -lt "$end" ]; do
    "$@" || fail "$*, time $n"
    n=$((n + 1))
  done
  echo "$*: $n times"
}
tape() {
  tar -cf "$T/W$1" -b 128 src && tar -df "$T/W$1" -b 128
}
drive() {
  "$MT" -f "$D/nst$1" rewind && tar -cf "$D/nst$1" -b 64 src && "$MT" -f "$D/nst$1" bsf 1 &&
    "$MT" -f "$D/st$1" status >status && tar -df "$D/st$1" -b 64
}
image() {
  rsync -aI a.tap "$I/I$1.tap" && rsync -aI --inplace b.tap "$I/I$1.tap" && cmp b.tap "$I/I$1.tap"
}
file() {
  [ -d "$F/F$1" ] || mkdir "$F/F$1"
  n=$((${n:-0} + 1))
  cp src/random "$F/F$1/n$n" && cmp src/random "$F/F$1/n$n"
}
# What is written over between a listing and its stat is gone, a folder of an archive that was opened before is stale, and ls
# says so (1: a minor problem, 2: of a folder); anything else is wrong.
look() {
  ls -lR "$MNT" >listing 2>complaints || [ $? -le 2 ]
  ! grep -v 'No such file or directory\|Stale file handle' complaints
}
workers=()
for work in "tape 1" "tape 2" "drive 0" "drive 1" "image 1" "image 2" "file 1" look; do
  # shellcheck disable=SC2086
  again $work &
  workers+=($!)
done
for w in "${workers[@]}"; do
  wait "$w" || fail "one of them failed"
done
stop_store
