#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Events as a script asks for them, and hooks: run by the daemon and by a single command, ended with it, never waited for.
. "$(dirname "$0")/../lib/functions.sh"
requires jq

# hook NAME TEXT: a script that a hook can run.
hook() {
  printf '#!/bin/sh\n%s\n' "$2" >"$scratch/$1"
  chmod 755 "$scratch/$1"
}

# exits STATUS WORDS COMMAND...
exits() {
  local want=$1 words=$2 got=0
  shift 2
  "$@" >"$scratch/out" 2>&1 </dev/null || got=$?
  [ "$got" = "$want" ] || fail "line ${BASH_LINENO[0]}: '$*' exits $got, not $want: $(cat "$scratch/out")"
  grep -qF -- "$words" "$scratch/out" || fail "line ${BASH_LINENO[0]}: '$words' is not in: $(cat "$scratch/out")"
}

lines() {
  [ "$(cat "$scratch/$1" 2>/dev/null | wc -l)" -ge "$2" ]
}

names() {
  vtape events --json -n 0 "$@" | jq -r .name | tr '\n' ' '
}

vtape init "$STORE" >/dev/null

# ---- before there is a daemon: the command itself runs what it must, and waits for it ----
hook all "cat >>$scratch/all.json"
vtape hook set all "$scratch/all"
vtape volume create A1
assert_eq "$(jq -r '.name + " " + .about + " " + .severity' "$scratch/all.json")" 'volume-created default/A1 info'

# What a hook cannot be
exits 2 'absolute path' vtape hook set bad all
exits 3 'No such file' vtape hook set bad "$scratch/none"
exits 2 'there is no event "clahs"' vtape hook set bad "$scratch/all" --event clahs
exits 2 'has a space in it' vtape hook set bad "$scratch/all" 'a b'
exits 2 'time limit' vtape hook set bad "$scratch/all" --timeout 0
chmod o+w "$scratch/all"
assert_fails vtape hook set bad "$scratch/all" 2>/dev/null
chmod o-w "$scratch/all"
assert_eq "$(vtape hook list -H | cut -f1)" all

# ---- with a daemon ----
start_store
lines all.json 2 || wait_until 10 lines all.json 2
hook words 'echo "$# $1 $2" >>'"$scratch"'/words; echo "$VTAPE_EVENT_NAME $VTAPE_STORE" >>'"$scratch"'/words'
vtape hook set words "$scratch/words.sh" 2>/dev/null && fail 'a hook without its program'
mv "$scratch/words" "$scratch/words.sh"
vtape hook set words "$scratch/words.sh" one two --event loaded,unloaded
vtape volume create A2
vtape drive load nst0 A2
vtape drive unload nst0
wait_until 10 lines words 4 || fail "the hook did not run: $(vtape hook list)"
assert_eq "$(cat "$scratch/words")" "2 one two
loaded $STORE
2 one two
unloaded $STORE"
wait_until 10 lines all.json 5

# One of its own doing: the daemon answers a hook that asks it
hook asks '"$VTAPE" volume list -H >'"$scratch/asked.new && mv $scratch/asked.new $scratch/asked"
vtape hook set asks "$scratch/asks" --event volume-created
vtape volume create A3
wait_until 10 test -e "$scratch/asked"
assert_eq "$(cut -f1 "$scratch/asked" | tr '\n' ' ')" 'A1 A2 A3 '

# Off, on, test, remove
vtape hook off all
vtape volume create A4
vtape hook on all
vtape volume create A5
wait_until 10 grep -q default/A5 "$scratch/all.json"
! grep -q default/A4 "$scratch/all.json" || fail 'a hook that is off ran'
hook says 'echo to out; echo to err >&2; exit 9'
vtape hook set says "$scratch/says" --event clash
exits 1 'to out' vtape hook test says
grep -qx 'to err' "$scratch/out"
grep -q 'exit status 9' "$scratch/out"
vtape hook test says --json >"$scratch/said" || true
assert_eq "$(jq -c '[.status, .output]' "$scratch/said")" '[9,"to out\nto err\n"]'
vtape hook remove says
exits 3 'there is no hook "says"' vtape hook test says

# One that hangs holds up nobody, one that fails is told; neither is run for that
hook hangs "echo \$\$ >$scratch/pid; exec sleep 1000"
hook fails "echo because; exit 5"
vtape hook set hangs "$scratch/hangs" --event volume-created
vtape hook set fails "$scratch/fails"
begun=$SECONDS
vtape volume create B1+20
[ $((SECONDS - begun)) -lt 5 ] || fail 'volumes waited for a hook'
wait_until 10 test -s "$scratch/pid"
told() { [[ $(names --event hook-failed) ]]; }
wait_until 10 told || fail 'a failure is not told'
assert_eq "$(vtape events --json --about fails | jq -r .text | head -1)" 'exit status 5'
vtape hook remove fails

# ---- what happened, as one asks for it ----
assert_eq "$(names --event loaded,unloaded)" 'loaded unloaded '
assert_says '' names --severity error
assert_eq "$(vtape events -n 0 --json --about default/A2 | jq -r .name | tr '\n' ' ')" 'volume-created '
[ "$(names --about default | wc -w)" -gt 20 ]
assert_eq "$(names --since '1h ago' --event mounted)" 'mounted '
assert_says '' names --since 2100-01-01
seq=$(vtape events --json --event loaded | jq .seq)
assert_eq "$(names --since "$seq" --event loaded,mounted)" 'loaded '
exits 2 'is not a time' vtape events --since yesterday-ish
exits 2 'there is no event' vtape events --event mountd
exits 2 'is not a severity' vtape events --severity loud

# ---- the end: a hook that hangs is ended, and the unmounting is told to those who want it ----
begun=$SECONDS
stop_store
[ $((SECONDS - begun)) -lt 25 ] || fail 'the end waited for a hook'
assert_fails kill -0 "$(cat "$scratch/pid")" 2>/dev/null
grep -q '"unmounted"' "$scratch/all.json" || fail 'nobody was told of the end'
