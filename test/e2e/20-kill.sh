#!/usr/bin/env bash
# kill -9 of the daemon at random moments while tapes are written, appended to, written over, erased, brought back and
# deleted and space is given back: nothing that was durable is lost, nothing is read that was not written, the next mount
# needs no repair, and vtape check finds nothing.
#   20-kill.sh [KILLS [SEED]]     20 kills unless said otherwise (the longer run: 200)
# The last line is for scripts: kills=N tapes=N records=N lost=N slowest_open_ms=N
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires fusermount3

kills=${1:-${VTAPE_KILLS:-20}}
seed=${2:-${VTAPE_SEED:-$$}}
RANDOM=$seed
echo "kills: $kills, seed: $seed (20-kill.sh KILLS SEED repeats it)"

start_store
vtape pool create brief keep=0 >/dev/null
ledgers=$scratch/ledgers
mkdir "$ledgers"
export VTAPE_STORE=$STORE

tapes=0 records=0 slowest=0
for ((i = 1; i <= kills; i++)); do
  # What was in the drive still is.
  vtape drive unload 0 >/dev/null 2>&1 || true
  "$TAPECROWD" work "$MNT" "$ledgers" $((seed * 1000 + i)) 60 2>"$scratch/work" &
  work=$!
  sleep "$((RANDOM % 2)).$(printf %03d $((RANDOM % 1000)))"
  crash_store
  wait "$work" || { cat "$scratch/work" >&2; fail "kill $i: the work failed before the kill"; }
  began=${EPOCHREALTIME/[.,]/}
  start_store
  took=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
  [ "$took" -le "$slowest" ] || slowest=$took
  "$TAPECROWD" check "$MNT" "$ledgers" >"$scratch/checked" || { cat "$scratch/checked"; fail "kill $i"; }
  vtape check >"$scratch/checked.all" || { cat "$scratch/checked.all"; fail "kill $i: vtape check found something"; }
  read -r t _ r _ <"$scratch/checked"
  tapes=$((tapes + t)) records=$((records + r))
done
finished=$(vtape events -n 0 --json | grep -c '"name":"recovered"') || fail 'no event tells of the packs that were finished'
[ "$finished" -le "$kills" ] || fail "$finished such events after $kills kills"
stop_store
echo "kills=$kills tapes=$tapes records=$records lost=0 slowest_open_ms=$slowest"
