#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Looking after a store, as its owner does: giving space back, reading everything, proving everything, bringing back what
# was written over, locks that nobody gets round, and what to do when files of the store are lost.
. "$(dirname "$0")/../lib/functions.sh"
requires jq cmp fusermount3 rsync
T=$MNT/tapes

# field NAME VERB...: a member of the JSON that a verb prints.
field() {
  local name=$1
  shift
  vtape "$@" --json | jq -r "$name"
}

# exits STATUS COMMAND...
exits() {
  local want=$1 got=0
  shift
  "$@" >"$scratch/out" 2>&1 </dev/null || got=$?
  [ "$got" = "$want" ] || fail "line ${BASH_LINENO[0]}: '$*' exits $got, not $want: $(cat "$scratch/out")"
}

says() {
  grep -qF -- "$1" "$scratch/out" || fail "line ${BASH_LINENO[0]}: '$1' is not in: $(cat "$scratch/out")"
}

# refused COMMAND...: fails, whatever it says.
refused() {
  if "$@" >"$scratch/out" 2>&1 </dev/null; then
    fail "line ${BASH_LINENO[0]}: not refused: $*"
  fi
}

write_tape() {
  dd if="$scratch/$2" of="$T/default/$1" bs=64k iflag=fullblock status=none
}

noise() {
  head -c "$2" /dev/urandom >"$scratch/$1"
}

# ---- giving space back ----
collecting() {
  local will freed
  noise a 12M
  noise b 12M
  # Two tapes turn by turn, one of them twice; then the other goes, and what was overwritten.
  write_tape GC1 a
  noise old 6M
  write_tape GC2 old
  write_tape GC2 b
  vtape pool set default keep=0
  vtape volume delete GC1 -y
  # What the daemon does by itself may come first: then nothing is left to free.
  will=$(field .garbage_bytes gc --dry-run --live 100)
  before=$(field .stored_bytes stats)
  exits 0 vtape gc --live 100 --rate 0
  says freed
  freed=$((before - $(field .stored_bytes stats)))
  echo "gc: $will bytes were to be freed, $freed were"
  [ "$((will > freed ? will - freed : freed - will))" -le $((will / 20 + 100000)) ] ||
    fail "a dry run said $will, freed were $freed"
  assert_eq "$(field .garbage_bytes gc --dry-run --live 100)" 0
  cmp "$T/default/GC2" "$scratch/b"
  exits 2 vtape gc --live 101
  exits 2 vtape gc --rate fast
  vtape pool set default keep=7d
}

# ---- properties of the store ----
properties() {
  exits 0 vtape set gc-rate=128M scrub-every=14d
  assert_eq "$(vtape get gc-rate -H | cut -f1,2)" $'gc-rate\t128M'
  exits 2 vtape set gc-live=101
  exits 3 vtape set colour=red
  exits 3 vtape get colour
  exits 0 vtape set gc-rate=64M scrub-every=30d
  [ "$(vtape get --json | jq length)" -ge 4 ] || fail 'the store has few properties'
}

# ---- reading everything ----
scrubbing() {
  exits 0 vtape scrub --wait --rate 1G
  says finished
  assert_eq "$(field .state scrub status)" finished
  assert_eq "$(field .damaged scrub status)" 0
  # Slow enough to be seen, stopped, and gone on with.
  exits 0 vtape scrub --rate 4M
  assert_eq "$(field .state scrub status)" running
  exits 0 vtape scrub stop
  assert_eq "$(field .state scrub status)" stopped
  exits 0 vtape scrub start --wait --rate 1G --progress
  assert_eq "$(field .state scrub status)" finished
  # Whoever waits can go, and the scrub goes on.
  VTAPE_STORE=$STORE timeout 1 "$VTAPE" scrub --wait --rate 4M >"$scratch/out" 2>&1 || true
  says 'goes on'
  assert_eq "$(field .state scrub status)" running
  exits 0 vtape scrub stop
  exits 2 vtape scrub slowly
  [ "$(field .scrub.state status)" = stopped ] || fail 'status does not tell of the scrub'
}

checking() {
  exits 0 vtape check
  says 'nothing is wrong'
  exits 0 vtape check --data
  exits 0 vtape check --repair
  assert_eq "$(field '"\(.faults) \(.repaired) \(.findings | length)"' check)" '0 0 0'
  exits 0 vtape damage
  says 'nothing is known to be damaged'
  assert_eq "$(vtape damage --json)" '[]'
}

# ---- damage: what it costs, and how it heals ----

# One byte in the middle of the newest pack is another; scrub finds it.
hurt_pack() {
  local pack
  # One that goes on from before may have passed the place: it is finished first.
  vtape scrub --wait --rate 1G >/dev/null || true
  pack=$(find "$STORE/packs" -name '*.pack' | sort | tail -1)
  python3 - "$pack" <<'PY'
import os, sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(os.path.getsize(sys.argv[1]) // 2)
    b = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([b[0] ^ 0x40]))
PY
  exits 8 vtape scrub --wait --rate 1G
}

# members_told ARCHIVE MOUNTED TOLD: the names in TOLD are those of which bytes cannot be read from MOUNTED.  Without the
# catalog a member whose header is hurt has no name; the one before it may then be told in its place.
members_told() {
  python3 - "$@" <<'PY'
import os, sys, tarfile
with tarfile.open(sys.argv[1]) as t:
    members = t.getmembers()
told = set(open(sys.argv[3]).read().split())
fd = os.open(sys.argv[2], os.O_RDONLY)

def hurt(first, end):
    for at in range(first, end, 512):
        try:
            os.pread(fd, 512, at)
        except OSError:
            return True
    return False

must, may = set(), set()
for i, m in enumerate(members):
    end = members[i + 1].offset if i + 1 < len(members) else os.path.getsize(sys.argv[1])
    if hurt(m.offset, m.offset + 512):
        may.add(members[i - 1].name)
    elif hurt(m.offset + 512, end):
        must.add(m.name)
assert must <= told <= must | may, (must, told, may)
PY
}

damage() {
  local i
  vtape pool set default contents=off
  mkdir "$scratch/src"
  for i in $(seq -w 1 40); do noise "src/file$i" 100K; done
  tar -C "$scratch" -cf "$scratch/src.tar" src
  tar -C "$scratch" -czf "$scratch/src.tgz" src
  # The pack that a daemon keeps open is closed with it, so the next tape has one of its own.
  stop_store
  start_store
  vtape volume create ARCHIVE
  cp "$scratch/src.tar" "$MNT/files/default/ARCHIVE/home.tar"
  stop_store
  start_store
  hurt_pack
  [ "$(field .damage.chunks status)" -gt 0 ] || fail 'status does not tell of damage'
  exits 8 vtape damage
  says 'default/ARCHIVE, tape file 0001 "home.tar"'
  says 'tar'
  vtape damage --json >"$scratch/damage" || true
  jq -e 'length > 0 and (map(.volume) | unique) == ["ARCHIVE"]' "$scratch/damage" >/dev/null || fail "$(cat "$scratch/damage")"
  jq -r '.[].archive.members[]' "$scratch/damage" | sort -u >"$scratch/told"
  members_told "$scratch/src.tar" "$MNT/files/default/ARCHIVE/0001" "$scratch/told"
  assert_eq "$(vtape damage GC2 --json)" '[]'
  exits 8 vtape check
  # The next backup of the same brings it back, on every tape.
  dd if="$scratch/src.tar" of="$T/default/NEXT" bs=256k status=none
  cmp "$MNT/files/default/ARCHIVE/0001" "$scratch/src.tar"
  exits 0 vtape damage
  says 'nothing is known to be damaged'
  exits 0 vtape check --data

  # Of a compressed archive all is lost from some member on.
  vtape volume create PACKED
  stop_store
  start_store
  cp "$scratch/src.tgz" "$MNT/files/default/PACKED/home.tgz"
  stop_store
  start_store
  hurt_pack
  exits 8 vtape damage PACKED
  says 'compressed; everything is lost '
  vtape volume delete PACKED -y
  vtape pool set default keep=0
  exits 0 vtape gc --live 0
  vtape pool set default keep=7d
  exits 0 vtape scrub --wait --rate 1G
  exits 0 vtape damage
  vtape pool set default contents=on
}

# ---- bringing back ----
bringing_back() {
  local old
  noise first 3M
  noise second 1M
  write_tape BACK first
  old=$(field '.[0].generation' volume show BACK)
  write_tape BACK second
  exits 0 vtape volume restore-generation BACK "$old"
  says "generation $old"
  cmp "$T/default/BACK" "$scratch/first"
  # And what it held before that is not lost either.
  assert_eq "$(field '.[1].size_bytes' volume history BACK)" "$(stat -c %s "$scratch/second")"
  exits 0 vtape volume restore-generation BACK "$(field '.[1].generation' volume history BACK)"
  cmp "$T/default/BACK" "$scratch/second"
  exits 3 vtape volume restore-generation BACK 999
  exits 2 vtape volume restore-generation BACK last
  exits 3 vtape volume restore-generation NOWHERE 1
  vtape drive load 0 BACK
  exits 4 vtape volume restore-generation BACK "$old"
  vtape drive unload 0
}

# ---- locks ----

# doors_are_shut POOL VOLUME ELSEWHERE: every door, on a tape that holds $scratch/precious.
doors_are_shut() {
  local pool=$1 v=$2 elsewhere=$3 mt=${MT:-mt}
  refused rm -f "$T/$pool/$v"
  refused mv "$T/$pool/$v" "$T/$elsewhere/$v"
  refused mv -f "$T/default/PLAIN" "$T/$pool/$v"
  refused dd if="$scratch/second" of="$T/$pool/$v" bs=64k
  refused cp "$scratch/second.tap" "$MNT/images/$pool/$v.tap"
  refused rsync --inplace "$scratch/second.tap" "$MNT/images/$pool/$v.tap"
  refused rsync "$scratch/second.tap" "$MNT/images/$pool/$v.tap"
  cp "$scratch/second.tap" "$MNT/images/$pool/INCOMING.part"
  refused mv -f "$MNT/images/$pool/INCOMING.part" "$MNT/images/$pool/$v.tap"
  rm -f "$MNT/images/$pool/INCOMING.part"
  refused rm -f "$MNT/images/$pool/$v.tap"
  refused rm -rf "$MNT/files/$pool/$v"
  vtape drive load 0 "$v"
  if command -v "$mt" >/dev/null; then
    refused "$mt" -f "$MNT/drives/nst0" erase
    refused "$mt" -f "$MNT/drives/nst0" mkpartition 100
  fi
  refused dd if="$scratch/second" of="$MNT/drives/st0" bs=64k
  vtape drive unload 0
  exits 5 vtape volume erase "$v" -y
  exits 5 vtape volume delete "$v" -y
  exits 5 vtape volume move "$v" "$elsewhere"
  exits 5 vtape import "$scratch/second.tap" "$v" --overwrite
  exits 5 vtape volume restore-generation "$v" 1
  exits 5 vtape pool destroy "$pool" --with-volumes -y
  exits 0 vtape gc --live 100
  cmp "$T/$pool/$v" "$scratch/precious"
}

locking() {
  noise precious 2M
  vtape pool create vault
  vtape pool create other
  dd if="$scratch/precious" of="$T/vault/SAFE" bs=64k status=none
  dd if="$scratch/second" of="$T/default/PLAIN" bs=64k status=none
  vtape export PLAIN "$scratch/second.tap"
  exits 2 vtape volume lock SAFE
  exits 2 vtape volume lock SAFE --until yesterday
  exits 2 vtape volume lock SAFE --until 2001-01-01
  exits 2 vtape volume lock SAFE --until 2027-02-30
  exits 2 vtape volume lock SAFE --for 40y
  exits 2 vtape volume lock SAFE --until 2207-01-01
  exits 3 vtape volume lock NOTHERE --for 1d
  exits 0 vtape volume lock SAFE --for 2d
  says 'SAFE is locked until'
  [ "$(field '.[0].locked_until_ns' volume show SAFE)" -gt 0 ] || fail 'volume show does not tell of the lock'
  vtape volume list SAFE | grep "$(date -d '+2 days' +%Y-%m-%d)" || fail 'volume list does not tell of the lock'
  exits 5 vtape volume lock SAFE --for 1h
  doors_are_shut vault SAFE other
  # What a lock leaves: reading, renaming, appending, a longer lock.
  vtape volume rename SAFE SAFER
  cp "$scratch/a" "$MNT/files/vault/SAFER/more"
  cmp "$MNT/files/vault/SAFER/0001" "$scratch/precious"
  cmp "$MNT/files/vault/SAFER/more" "$scratch/a"
  exits 0 vtape volume lock SAFER --until +3d
  # A pool's lock holds for all that is in it and for what comes to it.
  dd if="$scratch/precious" of="$T/other/POOLED" bs=64k status=none
  exits 0 vtape pool lock other --for 2d
  exits 5 vtape pool lock other --for 1d
  vtape pool get other | grep "$(date -d '+2 days' +%Y-%m-%d)" || fail 'pool get does not tell of the lock'
  doors_are_shut other POOLED default
  assert_eq "$(vtape events -n 0 --json | jq -s 'map(select(.name == "locked")) | length > 0')" true
}

# The owner sets the wall clock; the locks do not care.
set_clocks() {
  local lib=${WALLCLOCK:-} days
  if [ -z "$lib" ]; then
    echo 'wallclock.so is not here: that setting the clock ends no lock is not tried'
    return
  fi
  for days in 400 -400 4000; do
    stop_store
    (
      export LD_PRELOAD=$lib WALLCLOCK_S=$((days * 86400)) ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-}
      vtape mount "$STORE" "$MNT"
      exits 5 vtape volume delete SAFER -y
      exits 5 vtape volume erase POOLED -y
      [ "$days" -lt 0 ] || vtape status | grep "locks' time" || fail 'status does not tell that the clocks differ'
    )
    daemon=$(vtape status --json | jq .pid)
    refused rm -f "$T/other/POOLED"
  done
  stop_store
  start_store
  exits 5 vtape volume delete SAFER -y
  refused rm -f "$T/other/POOLED"
}

# ---- files of the store are lost ----

# What a user could notice: every tape, byte for byte, names, pools, properties, history, events.
picture() {
  local f
  vtape volume list --json | jq -S 'map(del(.loaded))'
  vtape volume list -H | cut -f1 | while read -r f; do vtape volume history "$f" --json | jq -S .; done
  vtape pool list --json | jq -S .
  vtape get -H
  vtape events -n 0 -H >"$scratch/events"
  head -n "$events" "$scratch/events"
  (cd "$MNT" && find files images -type f -print0 | sort -z | xargs -0 sha256sum)
}

losing_the_database() {
  local lost=$1
  events=$(vtape events -n 0 -H | wc -l)
  picture >"$scratch/before"
  if [ "$lost" = killed ]; then crash_store; else stop_store; fi
  rm -rf "$STORE/db"
  exits 7 vtape status
  says 'rebuild-index'
  exits 0 vtape rebuild-index
  says 'nothing was lost'
  start_store
  picture >"$scratch/after"
  cmp "$scratch/before" "$scratch/after" || fail "$(diff "$scratch/before" "$scratch/after" | head -20)"
  exits 0 vtape check --data
  vtape events --json | jq -r .name | grep -x rebuilt >/dev/null || fail 'no event tells that the database was made anew'
}

# Killed in the middle it is started again; a database that is still there is put aside, not removed.
killed_in_the_middle() {
  local i
  events=$(vtape events -n 0 -H | wc -l)
  picture >"$scratch/before"
  exits 4 vtape rebuild-index
  stop_store
  for i in 0.05 0.1 0.2 0.4; do
    VTAPE_STORE=$STORE setsid timeout -s KILL "$i" "$VTAPE" rebuild-index >/dev/null 2>&1 || true
    while IFS= read -r pid; do
      kill -9 "$pid" 2>/dev/null || true
    done < <(cat "$STORE/lock")
    sleep 0.1
  done
  rm -f "$STORE"/db/CURRENT
  exits 7 vtape volume list
  exits 0 vtape rebuild-index --json
  ls -d "$STORE"/db.old-* >/dev/null || fail 'the old database was not kept'
  [ ! -e "$STORE/db.new" ] || fail 'db.new is left'
  start_store
  picture >"$scratch/after"
  cmp "$scratch/before" "$scratch/after" || fail "$(diff "$scratch/before" "$scratch/after" | head -20)"
}

# Without the journal the old database will do; without both nothing of the packs is given up.
losing_the_journal() {
  local packs
  events=$(vtape events -n 0 -H | wc -l)
  picture >"$scratch/before"
  stop_store
  cp -a "$STORE" "$scratch/whole"
  rm -rf "$STORE/journal"
  exits 0 vtape rebuild-index
  says 'from the old database'
  start_store
  picture >"$scratch/after"
  cmp "$scratch/before" "$scratch/after" || fail "$(diff "$scratch/before" "$scratch/after" | head -20)"
  stop_store
  # Lost while nobody looked, it is made anew from the database.
  rm -rf "$STORE/journal"
  exits 0 vtape check
  rm -rf "$STORE/db"
  exits 0 vtape rebuild-index
  says 'nothing was lost'

  rm -rf "$STORE/db" "$STORE/journal"
  packs=$(find "$STORE/packs" -type f | sort | xargs sha256sum)
  exits 8 vtape rebuild-index
  says 'all tapes and their names are gone'
  assert_eq "$(field .gc status)" false
  exits 5 vtape gc
  start_store
  sleep 4
  stop_store
  assert_eq "$(find "$STORE/packs" -type f | sort | xargs sha256sum)" "$packs"
  # And so it can be had again, once somebody finds a journal.
  cp -a "$scratch/whole/journal" "$STORE/journal.found"
  rm -rf "$STORE/db" "$STORE/journal"
  mv "$STORE/journal.found" "$STORE/journal"
  exits 0 vtape rebuild-index
  start_store
  picture >"$scratch/after"
  cmp "$scratch/before" "$scratch/after" || fail "$(diff "$scratch/before" "$scratch/after" | head -20)"
  rm -rf "$scratch/whole"
}

# ---- mending, and stopping ----
mending() {
  local pack
  stop_store
  pack=$(find "$STORE/packs" -name '*.pack' | sort | head -1)
  printf 'garbage!' | dd of="$pack" bs=1 seek=$(($(stat -c %s "$pack") - 20)) conv=notrunc status=none
  exits 8 vtape check
  exits 9 vtape check --repair
  says mended
  exits 0 vtape check
  start_store
}

# An interrupt without a daemon: the store is closed as it should be, and the scrub goes on where it was.
stopping() {
  local pid status begun
  stop_store
  VTAPE_STORE=$STORE setsid "$VTAPE" scrub --rate 2M >"$scratch/out" 2>&1 &
  pid=$!
  sleep 3
  kill -TERM "$pid"	# what the shell runs in the background ignores an INT
  status=0
  wait "$pid" || status=$?
  says 'goes on from here'
  assert_eq "$(field .state scrub status)" stopped
  [ "$(field .done_bytes scrub status)" -gt 0 ] || fail 'nothing was read in three seconds'
  begun=$(field .started_ns scrub status)
  exits 0 vtape scrub --rate 1G
  assert_eq "$(field .started_ns scrub status)" "$begun"
  start_store
}

losing_the_head() {
  local head
  for head in vtape.store vtape.store.copy; do
    stop_store
    cp "$STORE/$head" "$scratch/head"
    rm "$STORE/$head"
    exits 0 vtape status
    cmp "$STORE/$head" "$scratch/head"
    printf 'x' | dd of="$STORE/$head" bs=1 seek=50 conv=notrunc status=none
    start_store
    cmp "$STORE/$head" "$scratch/head"
    vtape events -n 50 --json | jq -r .text | grep -F "$head was damaged" >/dev/null || fail 'no event tells of the damaged head'
  done
  stop_store
  mv "$STORE/vtape.store" "$scratch/head"
  : >"$STORE/vtape.store"
  truncate -s 100 "$STORE/vtape.store.copy"
  exits 7 vtape status
  says 'both damaged'
  exits 4 vtape init "$STORE"
  cp "$scratch/head" "$STORE/vtape.store"
  vtape -s "$STORE" status >/dev/null
  # One of another store is not believed, whichever of the two it is.
  vtape init "$scratch/another" >/dev/null
  cp "$scratch/another/vtape.store" "$STORE/vtape.store.copy"
  exits 7 vtape status
  says 'two different stores'
  cp "$STORE/vtape.store" "$STORE/vtape.store.copy"
  start_store
}

start_store
collecting
properties
scrubbing
checking
damage
bringing_back
locking
set_clocks
losing_the_database stopped
losing_the_database killed
killed_in_the_middle
losing_the_journal
losing_the_head
mending
stopping
checking
stop_store
