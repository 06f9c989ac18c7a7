#!/usr/bin/env bash
# Bad use gets a clear answer: nothing crashes, nothing hangs, nothing is lost.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires fusermount3 mt cmp

# refused WORDS COMMAND...: fails, and says WORDS
refused() {
  local words=$1 out
  shift
  if out=$("$@" 2>&1 </dev/null); then fail "not refused: $*"; fi
  case $out in *"$words"*) ;; *) fail "$* said '$out', not '$words'" ;; esac
}

# ---- stores ----
refused 'No such file' vtape -s "$scratch/nothing" status
mkdir "$scratch/foreign" && echo hello >"$scratch/foreign/file"
refused 'not empty' vtape init "$scratch/foreign"
refused 'is not a store' vtape -s "$scratch/foreign" pool list
assert_eq "$(ls "$scratch/foreign")" file

start_store
refused 'already' vtape init "$STORE"
mkdir "$scratch/mnt2"
refused 'mounted already' vtape mount "$STORE" "$scratch/mnt2"

# ---- one writer ----
mkfifo "$scratch/fifo"
dd of="$MNT/tapes/default/W" bs=64k if="$scratch/fifo" status=none &
writer=$!
exec 7>"$scratch/fifo"
head -c 300000 /dev/zero >&7
until [ -e "$MNT/tapes/default/W" ]; do sleep 0.05; done
sleep 0.3
refused 'busy' dd if=/dev/zero of="$MNT/tapes/default/W" bs=1k count=1
refused 'busy' rm -f "$MNT/tapes/default/W"
refused 'being written' vtape volume delete W --yes
refused 'being written' vtape drive load 0 W
# Unmounting while a tape is being written.
refused 'busy' fusermount3 -u "$MNT"
refused 'in use' vtape umount "$MNT"
exec 7>&-
wait "$writer"
assert_eq "$(stat -c %s "$MNT/tapes/default/W")" 300000

# ---- loaded, protected, WORM ----
vtape drive load 0 W >/dev/null
refused 'loaded in drive' vtape volume delete W --yes
refused 'busy' rm -f "$MNT/tapes/default/W"
refused 'busy' dd if=/dev/zero of="$MNT/tapes/default/W" bs=1k count=1
dd if="$MNT/tapes/default/W" of=/dev/null bs=64k status=none	# reading is fine
refused 'loaded' vtape drive load 1 W
vtape drive unload 0 >/dev/null
vtape volume set W protect=on >/dev/null
refused 'Read-only' dd if=/dev/zero of="$MNT/tapes/default/W" bs=1k count=1
refused 'protected' vtape volume erase W --yes
vtape volume set W protect=off >/dev/null
vtape volume create --worm WORM1 >/dev/null
echo one | dd of="$MNT/tapes/default/WORM1" bs=64k status=none
echo two | dd of="$MNT/tapes/default/WORM1" bs=64k oflag=append conv=notrunc status=none
if echo three | dd of="$MNT/tapes/default/WORM1" bs=64k status=none 2>/dev/null; then fail 'a WORM tape was overwritten'; fi
refused '' vtape volume delete WORM1 --yes
assert_eq "$(cat "$MNT/files/default/WORM1/0001")" one
assert_eq "$(cat "$MNT/files/default/WORM1/0002")" two

# ---- records and names ----
refused 'Invalid argument' dd if=/dev/zero of="$MNT/tapes/default/LONG" bs=2M count=1
head -c 1M /dev/urandom >"$scratch/1m"
refused 'Cannot allocate memory' sh -c "dd if='$scratch/1m' of='$MNT/tapes/default/R' bs=64k status=none && dd if='$MNT/tapes/default/R' of=/dev/null bs=4k"
refused '' touch "$MNT/tapes/default/-x y"
refused '' touch "$MNT/tapes/toplevel"
refused '' mkdir "$MNT/newdir"
refused '' ln -s a "$MNT/tapes/default/link"
refused 'pool' vtape volume create --pool nowhere X1
refused 'already' vtape volume create W
refused '' vtape volume create 'A/B'
refused '' vtape frobnicate
refused '' vtape volume list --frobnicate
refused 'compression' vtape pool set default compression=gzip
refused '' vtape pool set default nosuch=1
refused 'has volumes' vtape pool destroy default --yes
stop_store

# ---- newer, damaged ----
cp "$STORE/vtape.store" "$scratch/head"
printf 'X' | dd of="$STORE/vtape.store" bs=1 seek=50 conv=notrunc status=none
cp "$STORE/vtape.store" "$scratch/head.damaged"
cp "$STORE/vtape.store.copy" "$scratch/copy"
cp "$scratch/head.damaged" "$STORE/vtape.store.copy"
refused 'both damaged' vtape mount "$STORE" "$MNT"
cp "$scratch/copy" "$STORE/vtape.store.copy"
start_store
stop_store
cmp "$STORE/vtape.store" "$scratch/head" || fail 'a damaged head was not made anew from its copy'

# A pack with a flipped byte: EIO at that record, never a wrong byte; everything else is readable.
start_store
head -c 8M /dev/urandom >"$scratch/r8"
dd if="$scratch/r8" of="$MNT/tapes/default/DAM" bs=64k status=none
stop_store
pack=$(find "$STORE/packs" -type f -size +7M | head -n 1)
printf '\377\376\375' | dd of="$pack" bs=1 seek=5000000 conv=notrunc status=none
start_store
dd if="$MNT/tapes/default/DAM" of="$scratch/out" bs=64k conv=noerror status=noxfer 2>"$scratch/dd.err" || true
lost=$(grep -c 'Input/output error' "$scratch/dd.err") || fail 'no error was reported for damaged bytes'
[ "$lost" -le 4 ] || fail "3 bytes of one chunk made $lost records unreadable"
left=$(stat -c %s "$scratch/out")
assert_eq "$left" $(((8 << 20) - lost * 65536))
before=$({ cmp "$scratch/out" "$scratch/r8" || true; } | sed -nE 's/.*(byte|char) ([0-9]+),.*/\2/p')
[ -n "$before" ] || fail 'cmp does not say which byte was the first that was not delivered'
cmp -n $((before - 1)) "$scratch/out" "$scratch/r8"
cmp <(tail -c +"$before" "$scratch/out") <(tail -c +$((before + lost * 65536)) "$scratch/r8") ||
  fail 'wrong bytes were delivered without an error'
# Which records are hurt is found out behind the reader's back.
told() { vtape events --json | grep -q 'chunk-damaged.*DAM'; }
wait_until 30 told || fail "no event tells of the damage: $(vtape events --json)"
vtape damage DAM >"$scratch/told" && fail 'vtape damage ends with status 0 where there is some'
grep -q 'default/DAM, tape file 0001' "$scratch/told" || fail "vtape damage says: $(cat "$scratch/told")"
# The next backup of the same data heals it.
dd if="$scratch/r8" of="$MNT/tapes/default/HEAL" bs=64k status=none
cmp "$MNT/tapes/default/HEAL" "$scratch/r8"
stop_store

# A damaged database says so.
sst=$(find "$STORE/db" -name '*.sst' | head -n 1)
manifest=$(find "$STORE/db" -name 'MANIFEST-*' | head -n 1)
cp -a "$STORE/db" "$scratch/db.good"
: >"$manifest"
refused 'database' vtape mount "$STORE" "$MNT"
rm -rf "$STORE/db" && cp -a "$scratch/db.good" "$STORE/db"
rm -rf "$STORE/db"
refused 'database' vtape mount "$STORE" "$MNT"
cp -a "$scratch/db.good" "$STORE/db"
start_store
cmp "$MNT/tapes/default/HEAL" "$scratch/r8"
stop_store
echo 'every wrong use was refused in words'
