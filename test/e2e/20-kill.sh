#!/usr/bin/env bash
# kill -9 of the daemon at random moments while two tapes are written: nothing that was durable is lost, nothing is read
# that was not written, and the next mount needs no repair.
#   20-kill.sh [KILLS [SEED]]     50 kills unless said otherwise (the longer run: 500)
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires fusermount3

kills=${1:-${VTAPE_KILLS:-50}}
RANDOM=${2:-${VTAPE_SEED:-$$}}
echo "kills: $kills, seed: ${2:-${VTAPE_SEED:-$$}} (20-kill.sh KILLS SEED repeats it)"

start_store
vtape volume create K1 K2 >/dev/null
vtape drive load 0 K2 >/dev/null

# What each tape may hold: the sequence that was being written, or, if nothing of it was durable, still the one before.
declare -A seed=([K1]=0 [K2]=0) old_seed=([K1]=0 [K2]=0) old_durable=([K1]=0 [K2]=0)

durable_of() { if [ -s "$1" ]; then tail -n 1 "$1"; else echo 0; fi; }

check_one() { # VOLUME
  local v=$1 durable
  durable=$(durable_of "$scratch/$v.log")
  if "$TAPESEQ" check "$MNT/tapes/default/$v" "${seed[$v]}" "$durable" >"$scratch/$v.n" 2>"$scratch/$v.err"; then
    old_seed[$v]=${seed[$v]} old_durable[$v]=$(cat "$scratch/$v.n")
  elif [ "$durable" = 0 ]; then
    "$TAPESEQ" check "$MNT/tapes/default/$v" "${old_seed[$v]}" "${old_durable[$v]}" >"$scratch/$v.n" ||
      fail "kill $i: $v holds neither what was being written nor what was there before"
  else
    cat "$scratch/$v.err" >&2
    fail "kill $i: $v lost something (seed ${seed[$v]}, durable $durable)"
  fi
}

slowest=0
for ((i = 1; i <= kills; i++)); do
  seed[K1]=$((i * 2)) seed[K2]=$((i * 2 + 1))
  rm -f "$scratch"/K?.log
  "$TAPESEQ" write "$MNT/tapes/default/K1" "${seed[K1]}" "$scratch/K1.log" 2>/dev/null &
  w1=$!
  "$TAPESEQ" write "$MNT/drives/st0" "${seed[K2]}" "$scratch/K2.log" 2>/dev/null &
  w2=$!
  sleep "0.$(printf %03d $((RANDOM % 700)))"
  crash_store
  wait "$w1" || true
  wait "$w2" || true
  began=$(date +%s%N)
  start_store
  took=$((($(date +%s%N) - began) / 1000000))
  [ "$took" -le "$slowest" ] || slowest=$took
  check_one K1
  check_one K2
done
finished=$(vtape events -n 0 --json | grep -c '"name":"recovered"') || fail 'no event tells of the packs that were finished'
[ "$finished" -le "$kills" ] || fail "$finished such events after $kills kills"
stop_store
echo "$kills kills, nothing durable lost; slowest mount after a kill: $slowest ms"
