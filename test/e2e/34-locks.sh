#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Tapes that are to stay as they are: locked, in a locked pool, write once, protected, another site's.  Every door that a
# person has at a command line or in the mount, one after the other, and after each the tape is what it was; what is let
# through (renaming, lending, giving away) is undone.  Then the database is lost, and all of it once more, shorter.
. "$(dirname "$0")/../lib/functions.sh"
requires jq cmp fusermount3
T=$MNT/tapes

# exits STATUS COMMAND...
exits() {
  local want=$1 got=0
  shift
  "$@" >"$scratch/out" 2>&1 </dev/null || got=$?
  [ "$got" = "$want" ] || fail "line ${BASH_LINENO[0]}: '$*' exits $got, not $want: $(cat "$scratch/out")"
}

# shut COMMAND...: fails, and tape $V of pool $P is whole, with its earlier generation.
shut() {
  local got=0
  "$@" >"$scratch/out" 2>&1 </dev/null || got=$?
  case $1,$got in *,0 | vtape,2) fail "line ${BASH_LINENO[0]}: on $V, '$*' exits $got: $(cat "$scratch/out")" ;; esac
  whole "$*"
}

# open COMMAND...: may be done, and takes nothing away.
open() {
  exits 0 "$@"
  whole "$*"
}

whole() {
  cmp "$T/$P/$V" "$scratch/precious" || fail "line ${BASH_LINENO[1]}: $V is another after: $1"
}

tape() {
  dd if="$scratch/first" of="$T/$1" bs=64k iflag=fullblock status=none
  dd if="$scratch/precious" of="$T/$1" bs=64k iflag=fullblock status=none
}

setup() {
  head -c 300K /dev/urandom >"$scratch/precious"
  head -c 200K /dev/urandom >"$scratch/first"
  vtape site add munich
  vtape site add berlin
  vtape pool create vault
  vtape pool create plain
  vtape pool create brief keep=0
  for V in LOCKED SHUT THEIRS; do
    tape "plain/$V"
  done
  tape vault/POOLED
  vtape volume create ONCE -p plain --worm
  dd if="$scratch/precious" of="$T/plain/ONCE" bs=64k iflag=fullblock status=none
  tape brief/OTHER
  vtape export OTHER "$scratch/other.tap"
  printf '%s\n' LOCKED POOLED ONCE SHUT THEIRS >"$scratch/names"
  vtape volume lock LOCKED --for 2d >/dev/null
  vtape pool lock vault --for 2d >/dev/null
  vtape volume set SHUT protect=on
  vtape volume set THEIRS access=secondary site=munich
}

# What holds for every kind.
doors() {
  local mt=${MT:-mt} image
  shut vtape volume erase "$V" -y
  shut vtape volume delete "$V" -y
  shut vtape volume label "$V" --overwrite -y
  shut vtape volume create "$V"
  shut vtape volume create -p plain --from "$scratch/names"
  shut vtape volume set "$V" state=scratch
  shut vtape volume set "$V" worm=off state=scratch
  shut vtape volume restore-generation "$V" 1
  shut vtape import "$scratch/other.tap" "$V" --overwrite
  shut vtape drive load 0 --scratch "$P"
  shut vtape pool destroy "$P" --with-volumes -y
  [ "$V" = THEIRS ] || shut vtape volume register "$V" --site munich
  shut vtape volume register "$V" --site berlin --serial 00112233445566AA
  open vtape site settle berlin "$V"
  shut vtape init "$STORE"
  open vtape contents forget "$V"
  open vtape gc --live 100
  open vtape check --repair
  shut rm -f "$T/$P/$V"
  shut rm -rf "$MNT/files/$P/$V"
  shut rm -f "$MNT/images/$P/$V.tap"
  shut rmdir "$T/$P"
  shut mv -T "$T/brief" "$T/$P"
  shut mv -f "$T/brief/OTHER" "$T/$P/$V"
  shut dd if="$scratch/first" of="$T/$P/$V" bs=64k
  shut cp "$scratch/other.tap" "$MNT/images/$P/$V.tap"
  shut truncate -s 0 "$MNT/images/$P/$V.tap"
  shut truncate -s 4096 "$MNT/images/$P/$V.tap"
  shut mv "$MNT/images/$P/$V.tap" "$MNT/images/$P/$V.part"
  for image in tapes/X images/X.tap; do
    shut mv "$MNT/${image%/*}/$P/$V${image#*X}" "$MNT/${image%/*}/brief/OTHER${image#*X}"
  done
  open vtape drive load 0 "$V"
  shut dd if="$scratch/first" of="$MNT/drives/st0" bs=64k
  if command -v "$mt" >/dev/null; then
    shut "$mt" -f "$MNT/drives/nst0" erase
    shut "$mt" -f "$MNT/drives/nst0" weof 1
    shut "$mt" -f "$MNT/drives/nst0" mkpartition 100
  fi
  open vtape drive unload 0
}

# Its date is over, it would go to a pool that keeps nothing; and that is undone.
expiry() {
  [ "$V" = THEIRS ] || open vtape volume set "$V" expires=+0s
  open vtape pool set "$P" scratch=brief
  open vtape pool expire
  open vtape gc --live 100
  open vtape pool set "$P" scratch=none
  [ "$V" = THEIRS ] || open vtape volume set "$V" expires=pool
}

# Away and back: nothing goes while it is another site's.
lending() {
  open vtape volume set "$V" access=secondary site=munich
  shut vtape volume delete "$V" -y
  open vtape pool set "$P" access=restricted site=munich
  shut vtape pool destroy "$P" --with-volumes -y
  open vtape pool set "$P" keep=0
  open vtape gc --live 100
  open vtape pool set "$P" keep=7d
  open vtape pool set "$P" access=primary --yes
  [ "$V" = THEIRS ] || open vtape volume set "$V" access=primary --yes
}

locks_stay() {
  exits 5 vtape volume lock LOCKED --for 1h
  exits 5 vtape pool lock vault --for 1h
  exits 5 vtape volume move LOCKED brief
  exits 5 vtape volume move POOLED brief
  # A lock of its own that is shorter than the pool's makes that no shorter.
  exits 0 vtape volume lock POOLED --for 1h
  exits 5 vtape volume delete POOLED -y
  [ "$(vtape volume show POOLED --json | jq '.[0].locked_until_ns')" -gt "$((($(date +%s) + 86400) * 1000000000))" ] ||
    fail 'a volume is locked for less than its pool'
}

# Old generations are whom they belong to: kept while the lock lasts, gone where the pool keeps nothing.
generations() {
  vtape pool set plain keep=0
  vtape pool set vault keep=0
  exits 0 vtape gc --live 100
  assert_eq "$(vtape volume history -H LOCKED | wc -l)" 2
  assert_eq "$(vtape volume history -H POOLED | wc -l)" 2
  assert_eq "$(vtape volume history -H THEIRS | wc -l)" 2
  assert_eq "$(vtape volume history -H SHUT | wc -l)" 1
  assert_eq "$(vtape volume history -H OTHER | wc -l)" 1
}

start_store
setup
for V in LOCKED POOLED ONCE SHUT THEIRS; do
  P=plain
  [ "$V" != POOLED ] || P=vault
  whole 'nothing yet'
  doors
  expiry
  lending
done
locks_stay
generations

stop_store
rm -rf "$STORE/db"
exits 0 vtape rebuild-index
exits 4 vtape init "$STORE"
start_store
locks_stay
for V in LOCKED POOLED ONCE SHUT THEIRS; do
  P=plain
  [ "$V" != POOLED ] || P=vault
  whole 'the database was made anew'
  shut vtape volume erase "$V" -y
  shut vtape volume delete "$V" -y
  shut dd if="$scratch/first" of="$T/$P/$V" bs=64k
done
generations
assert_eq "$(vtape events -n 0 --json | jq -s 'map(select(.name == "lock-refused")) | length > 1')" true
stop_store
