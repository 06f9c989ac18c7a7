#!/usr/bin/env bash
# The making of a store is cut off before any of the calls that change the disk: there is no store then, and it says so, or
# a whole one; never half of one.  Making it again makes it, also if that is cut off once more.  What was not left by that
# is not touched.
#   28-begin.sh [EVERY]     every 15th call unless said otherwise, from a random one on (the longer run: 1)
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
[ -e "${BADCALL:-}" ] || skip 'needs badcall, which was not built'

every=${1:-15}
store=$scratch/begun
cut_init() { # NUMBER
  (
    export LD_PRELOAD=$BADCALL BADCALL_KILL=$1 ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-}
    "$VTAPED" --store "$store" --init >"$scratch/said" 2>&1
    exit $?
  ) 2>/dev/null
}
is_store() { [ -e "$store/vtape.store" ] || [ -e "$store/vtape.store.copy" ]; }
is_whole() {
  vtape -s "$store" pool list | grep -q default || fail "$1: no pool"
  vtape -s "$store" volume create A00001 >/dev/null
  vtape -s "$store" check >"$scratch/said" || { cat "$scratch/said"; fail "$1: check"; }
}

cuts=0 stores=0 begun=0
for ((n = 1 + RANDOM % every; ; n += every)); do
  rm -rf "$store"
  # shellcheck disable=SC2310
  if cut_init "$n"; then break; fi
  cuts=$((cuts + 1))
  if is_store; then
    stores=$((stores + 1))
    assert_fails vtape init "$store" 2>"$scratch/said"
    grep -q 'already' "$scratch/said" || fail "cut $n: $(cat "$scratch/said")"
  else
    assert_fails vtape -s "$store" status 2>"$scratch/said"
    [ ! -d "$store" ] || grep -q 'vtape init' "$scratch/said" || fail "cut $n: $(cat "$scratch/said")"
    [ ! -e "$store/vtape.store.new" ] || begun=$((begun + 1))
    cut_init $((1 + RANDOM % n)) || true
    is_store || vtape init "$store" >/dev/null
  fi
  is_whole "cut $n"
done
[ "$cuts" -ge 3 ] && [ "$begun" -gt 0 ] || fail "only $cuts cuts, $begun of them in the middle"

# What a making left goes; what somebody has put there does not, nor packs that hold something.
for what in notes packs/000000000 db/sub; do
  rm -rf "$store"
  mkdir -p "$store/packs" "$store/db" "$store/journal"
  touch "$store/vtape.store.new" "$store/lock"
  mkdir -p "$store/$what"
  assert_fails vtape init "$store" 2>"$scratch/said"
  [ -d "$store/$what" ] || fail "$what is gone"
  grep -qE 'is not empty|nothing is done' "$scratch/said" || fail "$what: $(cat "$scratch/said")"
done

# Two at once: one makes it, the other is told.
rm -rf "$store"
"$VTAPED" --store "$store" --init 2>/dev/null & one=$!
"$VTAPED" --store "$store" --init 2>/dev/null & two=$!
made=0
! wait "$one" || made=$((made + 1))
! wait "$two" || made=$((made + 1))
assert_eq "$made" 1
is_whole 'two at once'
echo "cuts=$cuts of $n calls, begun=$begun stores=$stores"
