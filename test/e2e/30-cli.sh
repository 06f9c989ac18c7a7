#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every verb of vtape(1), once without a daemon and once with one: what it prints, that its JSON is JSON, how it exits.
. "$(dirname "$0")/../lib/functions.sh"
requires jq

out=$scratch/out err=$scratch/err

# expect STATUS VERB...: output is in $out, words in $err.
expect() {
  local want=$1 got=0
  shift
  vtape "$@" >"$out" 2>"$err" </dev/null || got=$?
  [ "$got" = "$want" ] || fail "line ${BASH_LINENO[0]}: 'vtape $*' exits $got, not $want: $(cat "$err")"
  [ "$want" = 0 ] || [ -s "$err" ] || fail "line ${BASH_LINENO[0]}: 'vtape $*' exits $want and does not say why"
}

# json FILTER: of the last output, which must be JSON.
json() {
  jq -cer "$1" "$out" || fail "line ${BASH_LINENO[0]}: '$1' finds nothing in $(cat "$out")"
}

says() {
  grep -qF -- "$1" "$out" "$err" || fail "line ${BASH_LINENO[0]}: '$1' is not in: $(cat "$out" "$err")"
}

# A SIMH image: 3 records, a mark, 1 record, a mark.
make_image() {
  local n
  for n in 3 1; do
    for ((; n > 0; n--)); do
      printf '\012\000\000\000%-10.10s\012\000\000\000' "record $n"
    done
    printf '\0\0\0\0'
  done >"$1"
}

wrong_usage() {
  expect 2
  expect 2 frobnicate
  expect 2 volum list
  says 'did you mean "volume list"'
  expect 2 pool
  says 'pool destroy'
  expect 2 pool list --jsn
  says 'did you mean --json'
  expect 2 status extra
  expect 2 pool create
  expect 2 status --pool default
  expect 2 -s
  expect 2 events -n many
  expect 2 volume set A00001
  expect 0 help
  says 'volume history'
  expect 0 volume list --help
  says 'usage: vtape volume list'
  expect 0 version
  says vtape
  expect 3 -s "$scratch" status
  says 'is not a store'
  expect 3 -s "$scratch/nowhere" status
}

pools() {
  expect 0 pool create weekly compression=lz4 keep=14d
  expect 4 pool create weekly
  expect 3 pool create bad nonsense=1
  expect 2 pool create bad compression=best
  expect 3 pool get bad
  expect 2 pool create ../up
  expect 0 pool list
  grep -qE '^weekly +0 +0 B +0 B +lz4' "$out" || fail "pool list: $(cat "$out")"
  expect 0 pool list --json
  assert_eq "$(json 'map(.name) | sort | join(" ")')" 'default weekly'
  assert_eq "$(json '.[] | select(.name == "weekly") | .properties.compression')" lz4
  expect 0 pool get weekly compression -H
  assert_eq "$(cut -f1,2 "$out")" $'compression\tlz4'
  expect 3 pool get weekly colour
  expect 3 pool get monthly
  expect 0 pool set weekly compression=zstd verify=on
  expect 2 pool set weekly compression=none verify=perhaps
  expect 0 pool get weekly --json
  assert_eq "$(json 'map(select(.property == "compression" or .property == "verify") | .value) | join(" ")')" 'zstd on'
  expect 0 pool rename weekly monthly
  expect 3 pool rename weekly yearly
  expect 4 pool rename monthly default
  expect 0 pool destroy monthly
  expect 3 pool destroy monthly
}

volumes() {
  expect 0 pool create vault
  expect 0 volume create A00001+10 B1 -p vault --capacity 1G
  expect 4 volume create A00011 A00003 -p vault
  expect 3 volume show A00011
  expect 2 volume create 'no/name'
  expect 2 volume create C1+3 C0-C2 -p vault	# C1 twice: none is made
  expect 3 volume show C3
  expect 3 volume create C1 -p nowhere
  expect 0 volume list 'A*' -H
  assert_eq "$(wc -l <"$out")" 10
  expect 0 volume list A00002-A00004 --json
  assert_eq "$(json 'map(.name) | join(" ")')" 'A00002 A00003 A00004'
  assert_eq "$(json '.[0].capacity_bytes')" 1073741824
  expect 0 volume list A00002 'A0000[1-2]' A00002 -H
  assert_eq "$(cut -f1 "$out" | tr '\n' ' ')" 'A00002 A00001 '
  expect 0 volume list -p default --json
  assert_eq "$(cat "$out")" '[]'
  expect 3 volume list 'Z*' --json
  assert_eq "$(cat "$out")" ''
  expect 3 volume list A00001 -p default

  expect 0 volume set A00001 A00002 protect=on capacity=none record_size=64K
  expect 0 volume show A00002 --json
  assert_eq "$(json '.[0] | "\(.protect) \(.capacity_bytes) \(.record_bytes)"')" 'true 0 65536'
  expect 3 volume set A00001 colour=red
  expect 5 volume erase A00001 --yes
  expect 5 volume delete A00001 --yes
  expect 0 volume set A00001 A00002 protect=off record_size=inherit
  expect 0 volume show A00001
  says 'capacity'
  expect 0 volume move A00001 B1 default
  expect 0 volume list -p default -H
  assert_eq "$(cut -f1,2 "$out" | tr '\t\n' '/ ')" 'A00001/default B1/default '
  expect 0 volume rename B1 B2
  expect 4 volume rename B2 A00001
  expect 3 volume rename B1 B3
  expect 0 volume delete A00001 B2
  expect 3 volume delete B2
  expect 4 pool destroy vault
  expect 0 pool destroy vault --with-volumes --yes
  expect 0 volume list
  assert_eq "$(cat "$out")" ''
}

images() {
  expect 0 import "$scratch/one.tap" TAPE1
  expect 0 volume show TAPE1 --json
  assert_eq "$(json '.[0] | "\(.pool) \(.state) \(.size_bytes) \(.records) \(.files) \(.generation)"')" \
    'default assigned 40 4 2 1'
  expect 4 import "$scratch/one.tap" TAPE1
  says '--overwrite'
  expect 7 import "$scratch/torn.tap" TAPE1 --overwrite
  expect 7 import "$scratch/torn.tap" TAPE9
  expect 3 volume show TAPE9
  expect 3 import "$scratch/none.tap" TAPE9
  expect 2 import "$scratch/one.tap" TAPE9 --format vhs
  expect 3 import "$scratch/one.tap" TAPE9 -p nowhere
  expect 0 volume list
  assert_eq "$(wc -l <"$out")" 2    # nothing of what failed is left

  expect 0 export TAPE1 "$scratch/back.tap"
  cmp "$scratch/one.tap" "$scratch/back.tap"
  expect 4 export TAPE1 "$scratch/back.tap"
  expect 0 export TAPE1 "$scratch/back.tap" --overwrite
  expect 3 export NONE "$scratch/other.tap"
  [ ! -e "$scratch/other.tap" ] || fail 'an export that failed left its file'
  vtape export TAPE1 - | cmp - "$scratch/one.tap"

  # Through AWS and back, from a pipe: the same tape.
  vtape export TAPE1 - --format aws >"$scratch/one.aws"
  cat "$scratch/one.aws" | vtape import - TAPE2 --format aws
  expect 0 export TAPE2 "$scratch/two.aws"
  expect 0 import "$scratch/two.aws" TAPE2 --overwrite
  expect 0 export TAPE2 "$scratch/back.tap" --overwrite
  cmp "$scratch/one.tap" "$scratch/back.tap"
  expect 0 volume history TAPE2 --json
  assert_eq "$(json 'map(.size_bytes) | join(" ")')" '40 40'
  assert_eq "$(json 'map(.ended_ns == 0) | join(" ")')" 'true false'
  rm "$scratch/back.tap" "$scratch/one.aws" "$scratch/two.aws"

  # A tape of another kind of size, with progress as lines.
  head -c 3000000 /dev/urandom >"$scratch/noise"
  python3 - "$scratch/noise" "$scratch/big.tap" <<'PY'
import struct, sys
data = open(sys.argv[1], 'rb').read()
with open(sys.argv[2], 'wb') as f:
    for at in range(0, len(data), 65536):
        block = data[at:at + 65536]
        f.write(struct.pack('<I', len(block)) + block + b'\0' * (len(block) % 2) + struct.pack('<I', len(block)))
    f.write(struct.pack('<I', 0))
PY
  expect 0 import "$scratch/big.tap" BIG --progress
  expect 0 export BIG "$scratch/big2.tap" --progress
  cmp "$scratch/big.tap" "$scratch/big2.tap"
  rm "$scratch/big2.tap"
  expect 0 stats BIG --json
  assert_eq "$(json '"\(.of) \(.logical_bytes) \(.volumes)"')" 'volume 3000000 1'
  expect 0 import "$scratch/big.tap" BIG2
  expect 0 stats BIG2 --json
  assert_eq "$(json '.unique_bytes')" 0
  expect 0 stats --json
  json '.dedup > 1.9 and .dedup < 2.1' >/dev/null
  expect 0 stats default --json
  assert_eq "$(json '.logical_bytes')" 6000080
  expect 0 stats
  says dedup
  expect 3 stats NOTHING

  expect 2 volume erase BIG
  says '--yes'
  expect 0 volume erase BIG -y
  expect 0 volume show BIG --json
  assert_eq "$(json '.[0] | "\(.state) \(.size_bytes) \(.records)"')" 'scratch 0 0'
  expect 2 volume delete TAPE1 TAPE2 BIG BIG2
  expect 0 volume delete TAPE1 TAPE2 BIG BIG2 --yes
  expect 0 gc --json
  json '.freed_packs >= 0 and .freed_bytes >= 0' >/dev/null
  expect 0 gc
  says freed
  # A daemon keeps the pack that it wrote to last open for the next writer; without one everything is closed.
  if [ -z "$daemon" ]; then
    expect 0 stats --json
    json '.stored_bytes < 100000' >/dev/null
  fi
}

write_once() {
  expect 0 import "$scratch/one.tap" WORM1
  expect 5 volume set WORM1 worm=on
  expect 0 volume create WORM2 --worm --protect
  expect 5 import "$scratch/one.tap" WORM2
  expect 5 volume set WORM2 protect=off worm=off
  expect 0 volume set WORM2 protect=off
  expect 0 volume delete WORM1 WORM2 -y
}

drives() {
  expect 0 volume create D1 D2
  expect 0 drive list --json
  assert_eq "$(json 'map(.drive) | join(" ")')" 'nst0 nst1 nst2 nst3'
  expect 0 drive load nst0 D1
  expect 4 drive load nst0 D2
  expect 4 drive load 1 D1
  expect 3 drive load st1 NONE
  expect 3 drive load nst9 D2
  expect 2 drive load tape0 D2
  expect 0 drive list
  grep -qE '^nst0 +D1 +default' "$out" || fail "drive list: $(cat "$out")"
  expect 0 volume list D1 --json
  assert_eq "$(json '.[0].loaded')" nst0
  expect 4 volume delete D1
  expect 0 drive unload st0
  expect 0 drive unload 0
  expect 0 volume delete D1 D2
}

store_as_a_whole() {
  expect 0 status
  says "$STORE"
  expect 0 status --json
  assert_eq "$(json '.store')" "$STORE"
  json '.space.total_bytes > 0 and .version != "" and (.drives | length) == 4' >/dev/null
  expect 0 events -n 3
  assert_eq "$(wc -l <"$out")" 4
  expect 0 events -n 0 --json
  jq -es 'map(.seq) == (map(.seq) | sort) and .[0].seq == 1 and .[0].name != ""' "$out" >/dev/null || fail 'events: order'
  local last
  last=$(jq -s '.[-1].seq' "$out")
  expect 0 events --since "$last" --json
  assert_eq "$(json .seq | head -n 1)" "$last"	# the daemon may have told another since
  expect 0 events --severity error
  expect 2 events --severity loud
  # More than one answer's worth of output that nobody reads.
  vtape events -n 0 -H | head -1 >/dev/null || true
}

every_verb() {
  pools
  volumes
  images
  write_once
  drives
  store_as_a_whole
}

make_image "$scratch/one.tap"
head -c 60 "$scratch/one.tap" >"$scratch/torn.tap"

wrong_usage
expect 0 init "$STORE"
expect 4 init "$STORE"
expect 4 init "$scratch"
expect 2 init "$scratch/other" --chunk-avg 5000

every_verb
expect 0 status --json
assert_eq "$(json '"\(.pid) \(.mountpoint)"')" 'null null'

# Without a daemon two at once take turns.
pids=()
for i in 1 2 3 4; do
  vtape volume create "P$i" &
  pids+=($!)
done
for p in "${pids[@]}"; do
  wait "$p" || fail 'two commands at once'
done
expect 0 volume delete 'P[1-4]'

start_store
every_verb
expect 0 status --json
assert_eq "$(json '.mountpoint')" "$MNT"
assert_eq "$(json '.pid')" "$daemon"
expect 4 mount "$STORE" "$MNT"
mkdir "$scratch/mnt2"
expect 4 mount "$STORE" "$scratch/mnt2"
expect 4 mount "$STORE" "$STORE/packs"
expect 3 mount "$STORE" "$scratch/nowhere"

# The store is found without being named when we stand in it or in its mount.
for place in "$MNT" "$MNT/tapes" "$STORE" "$STORE/packs"; do
  (cd "$place" && env -u VTAPE_STORE "$VTAPE" status --json) >"$out" || fail "the store is not found from $place"
  assert_eq "$(json .store)" "$STORE"
done

# --follow prints what happens, and goes on over a restart of the daemon.
VTAPE_STORE=$STORE "$VTAPE" events -n 0 --severity info -f >"$scratch/follow" & # not the function: its process would be a shell
follow=$!
cleanup_fn eval "kill $follow 2>/dev/null"
wait_until 10 test -s "$scratch/follow"
vtape volume create FOLLOWED1
wait_until 10 grep -q FOLLOWED1 "$scratch/follow"

# A mount in use stays, and we are told so.
exec 7<"$MNT"
expect 4 umount "$MNT"
says 'in use'
exec 7<&-
expect 0 umount "$STORE" --timeout 30s
wait_until 30 ended "$daemon"
expect 3 umount "$MNT"
vtape volume create FOLLOWED2
start_store
wait_until 10 grep -q FOLLOWED2 "$scratch/follow"
kill "$follow"

# A tape stays in its drive over a restart, and that is no event.
vtape drive load 0 FOLLOWED1
stop_store
vtape volume list >/dev/null
start_store
assert_eq "$(vtape events -n 0 --json | jq -c 'select(.name == "loaded" and (.text | test("FOLLOWED1")))' | wc -l)" 1
assert_eq "$(vtape drive list --json | jq -r '.[0].volume')" FOLLOWED1

# The mount of a daemon that was killed is taken away by the next mount, also while the kernel remembers its folder.
stat "$MNT" >/dev/null
kill -9 "$daemon"
wait_until 30 ended "$daemon"
expect 0 mount "$STORE" "$MNT"
daemon=$(vtape status --json | jq .pid)
[ -e "$MNT/tapes/default/FOLLOWED1" ] || fail 'the tree after a crash'
stop_store
