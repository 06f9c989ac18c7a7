#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A store with a row of every kind.  The database is lost: all that an operator has set up comes back, row by row, and
# the catalog of contents by itself.  A row of each kind is wrong, or gone: `vtape check` says so, and --repair does what
# loses nothing.
. "$(dirname "$0")/../lib/functions.sh"
: "${ROWS:?names the program rows}"
requires jq cmp tar

# ---- a bit of everything ----------------------------------------------------------------------------------------

make_volumes() {
  vtape set gc-rate=32M scrub-every=9d
  vtape pool create daily barcode=D00001L8 capacity=1G compression=zstd keep=3d
  vtape pool create free
  vtape pool set daily scratch=free expire=30d expire-label=on
  vtape volume create -p daily --count 5 >/dev/null
  vtape volume create --worm WORM1 LABEL1 >/dev/null
  vtape volume label --owner ME LABEL1 >/dev/null
  tar -C "$src" -cf "$MNT/tapes/daily/D00001L8" src/chunk src/tape
  tar -C "$src" -cf "$MNT/tapes/daily/D00001L8" src/pack src/kv
  cp "$src/LICENSE" "$MNT/files/daily/D00001L8/named"
  head -c 500K /dev/urandom >"$MNT/tapes/daily/D00002L8"
  # Folders that are told again, and two members of one path
  mkdir -p d/e
  echo 1 >d/e/f
  tar -cf twice.tar d
  chmod 700 d
  tar -rf twice.tar d
  cp twice.tar "$MNT/files/daily/D00003L8/twice.tar"
  vtape volume set D00002L8 expires=2090-01-01 protect=on
  vtape volume set D00004L8 state=error
  vtape volume lock D00002L8 --for 2d --yes >/dev/null
  vtape pool lock free --for 1d --yes >/dev/null
  vtape export D00002L8 image.tap
  head -c 100000 image.tap >"$MNT/images/daily/half.tap" 2>/dev/null || true
}

make_world() {
  vtape site rename local berlin
  vtape site add munich note='the second hall' id=00112233445566778899AABBCCDDEEFF
  vtape volume register M1 --site munich --serial 00112233445566aa --generation 7 --access secondary
  # A clash that is over: our volume has another name by now.
  vtape volume create CLASH >/dev/null
  assert_fails vtape volume register CLASH --site munich --serial 0000000000000001 2>words
  vtape volume rename CLASH OURS >/dev/null
  printf '#!/bin/sh\n' >hook
  chmod 755 hook
  vtape hook set mine "$scratch/hook" one --event clash
  vtape hook off mine
  vtape drive set nst1 stacker=daily
  vtape scsi set nst0 model=ibm-lto7 serial=ABCDEF0123
  vtape scsi set changer model=ibm-3584
  vtape drive load 0 D00001L8 >/dev/null
}

# What a host writes through SCSI, for which a kernel is needed: an attribute of a cartridge, the changer's slots.
make_scsi() {
  "$ROWS" "$STORE" put catalog 410000000000000001000000000801 01015654415045
  "$ROWS" "$STORE" put catalog 42 01000a00000003000000
}

make_everything() {
  start_store
  make_volumes
  make_world
  vtape scrub --rate 1M >/dev/null
  sleep 0.5
  vtape scrub stop >/dev/null
  vtape contents settle >/dev/null
  stop_store
  make_scsi
  # The journal is made anew from the database, so it has these rows too.
  rm -rf "$STORE/journal"
  start_store
  vtape changer list >words
  stop_store
}

# ---- the database is lost -----------------------------------------------------------------------------------------

# Rows as they are to come back: not what time and numbers that are given out change, and not the catalog of contents.
lasting() {
  grep -E '^(catalog|map|pack) ' | grep -vE '^catalog (45|4e65|52)|^pack 4e '
}

found_by_name() {
  vtape find '*' --json | jq -S 'del(.content)'
  # Who wrote a file is known to nobody any more, and only when the tape was last written.
  vtape ls D00001L8 --json | jq -S 'map(del(.writer, .written_ns))'
  vtape ls -l -R D00003L8:1
}

lose_the_database() {
  local status=0
  "$ROWS" "$STORE" dump >rows
  start_store
  found_by_name >found.before
  vtape hook list --json | jq -S 'map(del(.runs, .last_ns))' >hooks.before
  stop_store
  "$ROWS" "$STORE" dump | lasting >rows.before
  rm -rf "$STORE/db"
  vtape rebuild-index >words
  grep -q 'nothing was lost' words || fail "$(cat words)"
  "$ROWS" "$STORE" dump >rows
  lasting <rows >rows.after
  cmp rows.before rows.after || fail "$(diff rows.before rows.after | cut -c1-120 | head)"
  # An event more, and all that there were.
  [ "$(grep -c '^catalog 45' rows)" -gt "$(grep -c '^catalog 45' rows.before || true)" ]
  start_store
  # Nobody asks for it: what is on the tapes is known again, and nothing else.
  wait_until 30 all_known || fail "the catalog of contents is not back: $(diff found.before found.after | head)"
  assert_eq "$(vtape hook list --json | jq -S 'map(del(.runs, .last_ns))')" "$(cat hooks.before)"
  vtape check >words || fail "$(cat words)"
  stop_store
}

all_known() {
  found_by_name >found.after
  cmp -s found.before found.after
}

# ---- wrong rows ---------------------------------------------------------------------------------------------------

# The last row of each kind, and some that only a crash, damage or a collection leaves.
kinds() {
  awk '{k = $1; if ($1 != "index") k = k " " substr($2, 1, 2); last[k] = $0}
    END {for (k in last) print last[k]}' rows.whole | sort
  cat <<'END'
map 4c0000000000000001 00
map 4d0000000000000099 -
map 4400000000000000990000000000000000 00
pack 42000000000000009900000001 -
pack 4c000000000000009900000001 00
END
}

# What is wrong where nobody can tell: bytes of their own, or a row that may be there or not.  The clock, the place of a
# volume, and where the scrub stood: told and mended by the start itself.  That a tape has to be looked at again, that a
# chunk is not shared, or one of the things that an archive said later of its folders, is no fault.
nobody_can_tell() { # HOW SPACE KIND
  case "$1 $2 $3" in
  'gone catalog '4[267de] | 'gone catalog '5[0156] | 'gone catalog 4b') return 1 ;;
  'gone catalog '* | 'cut catalog 41' | 'cut catalog 54' | 'cut catalog 52' | 'cut catalog 57' | 'cut catalog 4c') ;;
  'gone contents '5[68] | 'gone index '* | 'gone map 4'[cd4] | 'gone pack 4'[2c]) ;;
  *) return 1 ;;
  esac
}

# wrong_row SPACE KEY VALUE HOW: a check that mends says what is wrong, and whatever it does, nothing is lost: if the
# tapes cannot be read at once they can with the database made anew.
wrong_row() {
  local value=${3%??} status=0
  rm -rf "$STORE"
  cp -a golden "$STORE"
  case $4 in
  cut)
    if [ "$3" = - ]; then return; fi
    "$ROWS" "$STORE" put "$1" "$2" "${value:--}"
    ;;
  gone) "$ROWS" "$STORE" delete "$1" "$2" ;;
  esac
  vtape check --repair >words 2>&1 || status=$?
  case $status in
  8 | 9) told=$((told + 1)) ;;
  7) grep -q 'rebuild-index' words || fail "$4 $1 $2: $(cat words)" ;;	# without these nobody can go on safely
  0) nobody_can_tell "$4" "$1" "${2:0:2}" || fail "$4 $1 $2: check finds nothing" ;;
  *) fail "$4 $1 $2: check ends with $status: $(cat words)" ;;
  esac
  tapes_are_there || { rm -rf "$STORE/db" && vtape rebuild-index >words 2>&1 && tapes_are_there; } ||
    fail "$4 $1 $2: $(cat words)"
}

tapes_are_there() {
  vtape export D00002L8 out.tap --overwrite >words 2>&1 && cmp -s image.tap out.tap
}

wrong_rows() {
  local how space key value n=0
  told=0
  "$ROWS" "$STORE" dump >rows.whole
  rm -rf golden
  cp -a "$STORE" golden
  while read -r space key value; do
    for how in cut gone; do
      wrong_row "$space" "$key" "$value" "$how"
      n=$((n + 1))
    done
  done < <(kinds)
  echo "$n wrong rows, $told of them told, nothing lost"
}

src=$(cd "$(dirname "$0")/../.." && pwd)
cd "$scratch"
make_everything
"$ROWS" "$STORE" dump >rows.whole
lose_the_database
wrong_rows
