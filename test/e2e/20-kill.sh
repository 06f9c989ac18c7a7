#!/usr/bin/env bash
# kill -9 of the daemon at random moments while tapes are written, appended to, written over, erased, brought back and
# deleted and space is given back: nothing that was durable is lost, nothing is read that was not written, the next mount
# needs no repair, and vtape check finds nothing.  Beside that, archives have their lives, from a label to scratch again:
# each step that was answered was taken, none is taken by halves, and what is found in them is what is there.
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

# One volume after the other: made, labelled, written, moved, renamed, expired.  A step is in the ledger before it is
# asked for, and done when the next one is.
vtape pool create free >/dev/null
vtape pool create daily scratch=free >/dev/null
vtape pool create aside scratch=free >/dev/null
lives=$scratch/lives
: >"$lives"
live() { # FIRST
  local n=$1 v
  while :; do
    printf -v v L%05d $((n++))
    echo "$v made" >>"$lives"
    "$VTAPE" volume create -p daily "$v" || return
    echo "$v labelled" >>"$lives"
    "$VTAPE" volume label --yes "$v" || return
    echo "$v written" >>"$lives"
    tar -cf - -C "$scratch" --transform "s,.*,of-$v," made-of | cat >>"$MNT/tapes/daily/$v" || return
    echo "$v moved" >>"$lives"
    "$VTAPE" volume move "$v" aside || return
    echo "$v renamed" >>"$lives"
    "$VTAPE" volume rename "$v" "R$v" || return
    echo "$v expired" >>"$lives"
    [ $((n % 2)) = 0 ] || "$VTAPE" volume set "R$v" expires=2020-01-01 --yes || return
    "$VTAPE" pool expire aside || return
    echo "$v done" >>"$lives"
  done
}
head -c 200000 /dev/urandom >"$scratch/made-of"

# What a volume is: its name, the pool, how much is on it: nothing, a label, an archive behind it.
what_is() { # NAME
  local pool files
  pool=$({ "$VTAPE" volume list -H "$1" 2>/dev/null || true; } | cut -f2)
  [ -n "$pool" ] || { echo nothing; return; }
  files=$(find "$MNT/files/$pool/$1" -maxdepth 1 -type f | wc -l)
  case $files in
    0) echo "$1 $pool blank" ;;
    "$label") echo "$1 $pool label" ;;
    $((label + 1))) echo "$1 $pool archive" ;;
    *) echo "$1 $pool $files" ;;
  esac
}
vtape volume create -p free LABEL >/dev/null
vtape volume label --yes LABEL >/dev/null
label=$(find "$MNT/files/free/LABEL" -maxdepth 1 -type f | wc -l)
check_lives() { # only the last ones: what was answered long ago was checked before
  local v step is last
  "$VTAPE" contents settle >/dev/null
  while read -r v step; do
    is=$(what_is "$v")
    [ "$is" != nothing ] || is=$(what_is "R$v")
    # The step that was asked for last was taken, or not.
    case $step in
      made) [[ $is =~ ^(nothing|$v\ daily\ blank)$ ]] ;;
      labelled) [[ $is =~ ^$v\ daily\ (blank|label)$ ]] ;;
      written) [[ $is =~ ^$v\ daily\ (label|archive)$ ]] ;;
      moved) [[ $is =~ ^$v\ (daily|aside)\ archive$ ]] ;;
      renamed) [[ $is =~ ^R?$v\ aside\ archive$ ]] ;;
      expired) [[ $is =~ ^R$v\ (aside\ archive|free\ (blank|label))$ ]] ;;
      done) [[ $((10#${v#L} % 2)) = 1 ]] && [ "$is" = "R$v aside archive" ] || [[ $is =~ ^R$v\ free\ (blank|label)$ ]] ;;
    esac || fail "kill $i: $v was being $step, and is: $is"
    [[ $is == *\ archive ]] && last=1 || last=0
    [ "$("$VTAPE" find --exact "of-$v" -H | wc -l)" = $last ] ||
      [ "$step" = written ] || fail "kill $i: of-$v is not found as often as it is there: $is"
  done < <(tac "$lives" | awk '!seen[$1]++' | head -n 6)
}

tapes=0 records=0 slowest=0
for ((i = 1; i <= kills; i++)); do
  # What was in the drive still is.
  vtape drive unload 0 >/dev/null 2>&1 || true
  "$TAPECROWD" work "$MNT" "$ledgers" $((seed * 1000 + i)) 60 2>"$scratch/work" &
  work=$!
  live $((i * 100)) >/dev/null 2>&1 & living=$!
  sleep "$((RANDOM % 2)).$(printf %03d $((RANDOM % 1000)))"
  crash_store
  wait "$work" || { cat "$scratch/work" >&2; fail "kill $i: the work failed before the kill"; }
  wait "$living" || true
  began=${EPOCHREALTIME/[.,]/}
  start_store
  took=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
  [ "$took" -le "$slowest" ] || slowest=$took
  "$TAPECROWD" check "$MNT" "$ledgers" >"$scratch/checked" || { cat "$scratch/checked"; fail "kill $i"; }
  check_lives
  vtape check >"$scratch/checked.all" || { cat "$scratch/checked.all"; fail "kill $i: vtape check found something"; }
  read -r t _ r _ <"$scratch/checked"
  tapes=$((tapes + t)) records=$((records + r))
done
finished=$(vtape events -n 0 --json | grep -c '"name":"recovered"') || fail 'no event tells of the packs that were finished'
[ "$finished" -le "$kills" ] || fail "$finished such events after $kills kills"
lived=$(cut -d' ' -f1 "$lives" | sort -u | wc -l)
[ "$lived" -ge "$kills" ] || fail "only $lived lives"
stop_store
echo "kills=$kills tapes=$tapes records=$records lost=0 slowest_open_ms=$slowest"
