#!/usr/bin/env bash
# The making of a store is cut off before any of the calls that change the disk: there is no store then, and it says so, or
# a whole one; never half of one.  Making it again makes it, also if that is cut off once more.  What was not left by that
# is not touched.  The same for a start after a crash, and for rebuild-index: the next one ends it, and nothing is lost.
#   28-begin.sh [EVERY]     every 25th call unless said otherwise, from a random one on (the longer run: 1)
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
[ -e "${BADCALL:-}" ] || skip 'needs badcall, which was not built'

every=${1:-25}
store=$scratch/begun
real=$VTAPED
cat >"$scratch/cut" <<END
#!/bin/sh
LD_PRELOAD='$BADCALL' ASAN_OPTIONS=verify_asan_link_order=0:\$ASAN_OPTIONS exec '$real' "\$@"
END
chmod +x "$scratch/cut"
cut() { # NUMBER VERB...: killed before that call
  (
    BADCALL_KILL=$1 VTAPED=$scratch/cut "$VTAPE" -s "$store" "${@:2}" >"$scratch/said" 2>&1
    exit $?
  ) 2>/dev/null
}
cut_init() { cut "$1" init "$store"; }
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
# A start behind a crash, and a database made anew: each cut off, and once more.
start_store
head -c 3000000 /dev/urandom >"$scratch/data"
for v in B1 B2 B3; do
  vtape volume create $v >/dev/null
  dd if="$scratch/data" of="$MNT/tapes/default/$v" bs=64k status=none
done
dd if="$scratch/data" of="$MNT/tapes/default/B2" bs=8k status=none conv=notrunc oflag=append
dd if=/dev/urandom of="$MNT/tapes/default/B3" bs=64k count=2000 status=none 2>"$scratch/said" & sleep 0.4
crash_store
wait || true
cp -a --sparse=always "$STORE" "$scratch/crashed"
is_there() { # WORDS
  local v
  for v in B1 B2; do
    "$VTAPE" -s "$store" cat $v:1 | cmp - "$scratch/data" || fail "$1: $v"
  done
  "$VTAPE" -s "$store" check >"$scratch/said" || { cat "$scratch/said"; fail "$1: check"; }
}
cuts_of() { # VERB...
  local n done_at=0 cuts=0
  for ((n = 1 + RANDOM % every; ; n += every)); do
    rm -rf "$store"
    cp -a --sparse=always "$scratch/crashed" "$store"
    [ "$1" = status ] || rm -r "$store/db"
    # shellcheck disable=SC2310
    if cut "$n" "$@"; then done_at=$n; break; fi
    cuts=$((cuts + 1))
    cut $((1 + RANDOM % n)) "$@" || true
    if ! "$VTAPE" -s "$store" status >"$scratch/said" 2>&1; then
      [ "$1" != status ] && grep -q 'rebuild-index' "$scratch/said" || fail "$1, cut $n: $(cat "$scratch/said")"
      "$VTAPE" -s "$store" rebuild-index >"$scratch/said" 2>&1 || fail "$1, cut $n: $(cat "$scratch/said")"
    fi
    is_there "$1, cut $n"
  done
  echo "$1: cuts=$cuts of $done_at calls"
}
cuts_of status
every=$((every * 3))
cuts_of rebuild-index
echo "init: cuts=$cuts of $n calls, begun=$begun stores=$stores"
