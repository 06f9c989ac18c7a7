#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Two sites, as far as one of them knows: what another one writes is read only through every door, labels are had once.
. "$(dirname "$0")/../lib/functions.sh"
requires jq cmp

exits() {
  local want=$1 words=$2 got=0
  shift 2
  "$@" >"$scratch/out" 2>&1 </dev/null || got=$?
  [ "$got" = "$want" ] || fail "line ${BASH_LINENO[0]}: '$*' exits $got, not $want: $(cat "$scratch/out")"
  grep -qF -- "$words" "$scratch/out" || fail "line ${BASH_LINENO[0]}: '$words' is not in: $(cat "$scratch/out")"
}

refused() {
  if "$@" >"$scratch/out" 2>&1 </dev/null; then
    fail "line ${BASH_LINENO[0]}: not refused: $*"
  fi
}

# of VOLUME MEMBER: of its row.
of() {
  vtape volume list --json "$1" | jq -r ".[0].$2"
}

start_store
T=$MNT/tapes/default
cd "$scratch"

# ---- sites ----
assert_eq "$(vtape site list -H | cut -f1,2)" $'local\tyes'
vtape site rename local berlin
vtape site add munich note='the second hall' id=00112233445566778899AABBCCDDEEFF
assert_eq "$(vtape site list --json | jq -c '[.[] | .name, .ours]')" '["berlin",true,"munich",false]'
[ "$(vtape site list --json berlin | jq -r '.[0].id' | wc -c)" = 33 ] || fail 'this site has no id'
exits 4 'already' vtape site add MUNICH
exits 2 'no name for a site' vtape site add 'a b'
exits 2 'no site' vtape site set munich id=12
exits 3 'no property' vtape site set munich colour=red
vtape site rename munich muenchen
exits 3 'there is no site' vtape site remove munich

# ---- a volume of another site ----
seq 1000 >one
cp one "$T/A1"
vtape volume register M1 --site muenchen --serial 00112233445566aa --generation 7 --written '2026-01-31T12:00' \
  --access secondary
assert_eq "$(of M1 access) $(of M1 site) $(of M1 site_generation) $(of M1 serial)" 'secondary muenchen 7 00112233445566AA'
assert_eq "$(of M1 site_written_ns)" "$(date -d '2026-01-31 12:00' +%s)000000000"
vtape volume register M1 --site muenchen --generation 8 --access secondary
assert_eq "$(of M1 site_generation)" 8
if command -v getfattr >/dev/null; then
  assert_eq "$(getfattr --only-values -n user.vtape.site "$T/M1")" muenchen
  assert_eq "$(getfattr --only-values -n user.vtape.access "$T/M1")" secondary
  assert_eq "$(getfattr --only-values -n user.vtape.site_generation "$T/M1")" 8
fi
exits 2 'whose volume' vtape volume register M2
exits 2 'secondary or restricted' vtape volume register M2 --site muenchen --access primary
exits 2 'no serial' vtape volume register M2 --site muenchen --serial 12
exits 4 'volumes or pools of site muenchen' vtape site remove muenchen

# Labels are had once over all sites
exits 4 'it is a volume of site muenchen' vtape volume create M1
exits 4 'it is a volume of site muenchen' vtape volume rename A1 M1
refused mv "$T/A1" "$T/M1"
exits 4 'recorded as a clash' vtape volume register A1 --site muenchen --serial 0000000000000001
assert_eq "$(vtape site clashes -H | cut -f1,3,4)" $'A1\tmuenchen\t0000000000000001'
assert_eq "$(vtape events --json --event clash | jq -r .about)" default/A1
exits 8 'has a label that site muenchen has' vtape check
vtape volume rename A1 A9
exits 0 '' vtape check
exits 4 'site muenchen has it' vtape volume create A1
vtape site settle muenchen A1
vtape volume create A1

# ---- read only through every door ----
cp one "$T/S1"
cp -r "$T/S1" saved
seq 2000 >"$T/S2"
seq 3000 >"$T/S2"
exits 2 'site=NAME is needed' vtape volume set S1 access=secondary
doors() {
  refused cp one "$T/S1"
  refused bash -c "echo more >>'$T/S1'"
  refused truncate -s 0 "$T/S1"
  refused rm "$T/S1"
  refused mv "$T/S1" "$T/S9"
  cp one "$T/N1"
  refused mv "$T/N1" "$T/S1"
  rm "$T/N1"
  refused cp one "$MNT/files/default/S1/x"
  refused rm "$MNT/files/default/S1/0001"
  cp "$MNT/images/default/S1.tap" s1.tap
  refused cp s1.tap "$MNT/images/default/S1.tap"
  refused mv s1.tap "$MNT/images/default/S1.tap"
  refused rm "$MNT/images/default/S1.tap"
  refused vtape import s1.tap S1 --overwrite
  refused vtape volume erase -y S1
  refused vtape volume delete -y S1
  refused vtape volume rename S1 S9
  refused vtape volume restore-generation S2 1
  refused vtape volume set S1 capacity=1G
  vtape drive load nst0 S1
  refused dd if=one of="$MNT/drives/nst0" bs=64k
  cmp one <(dd if="$MNT/drives/nst0" bs=64k status=none)
  vtape drive unload nst0
  cmp one "$T/S1"
  # What is kept of older generations is its site's to let go
  vtape pool set default keep=0
  vtape gc >/dev/null
  assert_eq "$(vtape volume history -H S2 | wc -l)" 2
  vtape pool set default keep=7d
}
vtape volume set S1 S2 access=secondary site=muenchen
assert_eq "$(of S1 access) $(of S1 site)" 'secondary muenchen'
doors
vtape volume set S1 S2 access=restricted
doors

# One that is in use is not given away
exec 3>"$T/W1"
echo x >&3
exits 4 'being written' vtape volume set W1 access=secondary site=muenchen
exec 3>&-

# ---- taking over ----
exits 2 'Take over volume S1' vtape volume set S1 access=primary
refused cp one "$T/S1"
vtape volume set S1 S2 access=primary --yes
seq 5 >"$T/S1"
assert_eq "$(of S1 access) $(of S1 site)" 'primary berlin'
assert_eq "$(vtape events --json --event taken-over | jq -r .about | tr '\n' ' ')" 'default/S1 default/S2 '

# ---- a pool that another site writes ----
vtape pool create far
cp one "$MNT/tapes/far/F1"
exits 2 'site=NAME is needed' vtape pool set far access=secondary
vtape pool set far access=secondary site=muenchen
assert_eq "$(vtape pool get far -H access site | cut -f2 | tr '\n' ' ')" 'secondary muenchen '
refused cp one "$MNT/tapes/far/F1"
refused cp one "$MNT/tapes/far/F2"
refused mv "$MNT/tapes/far/F1" "$T/F1"
refused vtape volume move A9 far
refused vtape volume create -p far F2
assert_eq "$(of F1 access) $(of F1 site)" 'secondary muenchen'
vtape volume register F2 -p far --site muenchen
stop_store
start_store
refused cp one "$MNT/tapes/far/F1"
cmp one "$MNT/tapes/far/F1"
exits 2 'Take over pool far' vtape pool set far access=primary
vtape pool set far access=primary -y
cp one "$MNT/tapes/far/F1"

# A registration that nothing came of can be taken back
vtape volume delete F2 M1 -y
vtape site remove muenchen
assert_eq "$(vtape site list -H | cut -f1)" berlin
exits 0 '' vtape check
