#!/usr/bin/env bash
# Real power cuts: a virtual machine writes, appends to, erases and deletes tapes in a store on a disk of its own, and is
# ended at a random moment; its page cache is lost.  Every second time the disk's cache is lost too: of what was not
# flushed, writes are missing or torn.  Then it starts again: the store must open as it is, and every tape have at least
# what was told to be safe, and nothing that was not written.
#   23-power-cut.sh [CUTS [SEED]]     2 cuts unless said otherwise (the longer run: 20)
# A line for each cut; the last is for scripts: cuts=N tapes=N records=N lost=N slowest_open_ms=N
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires python3 mkfs.ext4
here=$(cd "$(dirname "$0")/.." && pwd)

cuts=${1:-${VTAPE_CUTS:-2}}
seed=${2:-${VTAPE_SEED:-$$}}
RANDOM=$seed
echo "cuts: $cuts, seed: $seed (23-power-cut.sh CUTS SEED repeats it, but for the moments)"

disk=$scratch/disk results=$scratch/results
mkdir "$results"
truncate -s 2G "$disk"

machine() { # [options of test/vm/run] -- [ARGUMENTS of power-cut]
  local options=()
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  code=0
  "$here/vm/run" --disk "$disk" --results "$results" --memory 1024 "${options[@]}" "$here/vm/power-cut" "$@" \
    >"$scratch/said" 2>&1 || code=$?
  [ "$code" != 77 ] || skip "$(tail -n 1 "$scratch/said")"
}

tapes=0 records=0 slowest=0
# What the machine said of the cut before.
count() {
  local opened t r
  opened=$(sed -nE 's/^opened in ([0-9]+) ms$/\1/p' "$scratch/said")
  read -r t _ r _ < <(grep -E '^[0-9]+ tapes, ' "$scratch/said")
  [ "$i" = 1 ] || echo "cut $((i - 1)): $how; opened in $opened ms, $t tapes, $r records, 0 lost"
  [ "$i" = 1 ] || [ "$opened" -le "$slowest" ] || slowest=$opened
  tapes=$((tapes + t)) records=$((records + r))
}
wrong() {
  cat "$scratch/said"
  fail "$1"
}

for ((i = 1; i <= cuts; i++)); do
  rm -f "$results/writing"
  after=$((1 + RANDOM % 12)).$((RANDOM % 10))
  cut=(--kill-when writing --kill-after "$after")
  if [ $((i % 2)) = 0 ]; then
    cp --sparse=always "$disk" "$disk.before"
    cut+=(--disk-log "$scratch/log")
  fi
  machine "${cut[@]}" -- $((seed * 1000 + i)) 600
  [ "$code" = 137 ] || wrong "the machine ended with $code before cut $i"
  count
  how="power lost after $after s of writing"
  if [ $((i % 2)) = 0 ]; then
    if replayed=$("$here/vm/replay" "$disk.before" "$scratch/log" $((seed * 1000 + i))); then
      mv "$disk.before" "$disk"
      how+=", the disk's cache too ($replayed)"
    elif [ $? != 3 ]; then
      fail "the log of cut $i cannot be replayed"
    fi
  fi
done
machine -- 0
[ "$code" = 0 ] || wrong "after cut $cuts"
count
echo "cuts=$cuts tapes=$tapes records=$records lost=0 slowest_open_ms=$slowest"
