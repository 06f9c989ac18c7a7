#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a damaged chunk costs, and who is told: of every kind of archive the members that cannot be read are those that
# `vtape damage` names, and everything else is read, through every door; the same data written again heals it.
. "$(dirname "$0")/../lib/functions.sh"
MT=${MT:-mt}
requires jq cmp tar cpio gzip zstd python3 dd "$MT"
kinds='tar cpio tgz tzst zip'

make_archives() {
  local i
  mkdir src
  for i in $(seq -w 1 40); do
    head -c $((30000 + 2500 * 10#$i)) /dev/urandom >"src/file$i"
  done
  tar -cf a.tar src
  tar -czf a.tgz src
  tar --zstd -cf a.tzst src
  find src | cpio -o -H newc --quiet >a.cpio
  python3 -c 'import zipfile, glob
with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as z:
    for f in sorted(glob.glob("src/*")): z.write(f)'
  head -c 3M /dev/urandom >a.raw
}

# The pack that a daemon keeps open is closed with it: the next tape has one of its own.
fill_tapes() {
  local kind
  for kind in $kinds raw; do
    vtape volume create "T$kind" >/dev/null
    cp "a.$kind" "$MNT/files/default/T$kind/a.$kind"
    vtape contents settle "T$kind" >/dev/null
    stop_store
    start_store
  done
}

# Some bytes in the middle of every pack.
hurt_packs() {
  local pack
  stop_store
  for pack in "$STORE"/packs/*/*.pack; do
    printf 'damage' | dd of="$pack" bs=1 seek=$(($(stat -c %s "$pack") / 2)) conv=notrunc status=none
  done
  start_store
}

told() { # KIND: names, sorted
  vtape damage "T$1" --json >json || [ $? = 8 ]
  jq -r '.[].archive.members[]?' json | sort -u
}

# Which members cannot be read; the others are what they were.
unreadable() { # KIND
  local f
  for f in src/file*; do
    if vtape cat "T$1:1:$f" >bytes 2>words; then
      cmp bytes "$f" >&2
    else
      grep -q damaged words || fail "T$1:1:$f: $(cat words)"
      cmp -n "$(stat -c %s bytes)" bytes "$f" >&2
      echo "$f"
    fi
  done
}

# What the tools say is lost is lost, and nothing else.
named() {
  local kind
  for kind in $kinds; do
    told "$kind" | grep -v '^src/*$' >names
    unreadable "$kind" >lost
    [ -s lost ] || fail "$kind: nothing is hurt"
    assert_eq "$(jq -r '.[0].archive.broken' json)" false
    case $kind in
    tar | cpio) cmp names lost || fail "$kind: $(diff names lost)" ;;
    # What was read of the tape to unpack the end of a member is known to within what the unpacker took at once.
    *)
      assert_eq "$(comm -13 names lost)" ''
      [ "$kind" = zip ] || [ "$(comm -23 names lost | wc -l)" -le 3 ] || fail "$kind: $(diff names lost)"
      ;;
    esac
    echo "$kind: $(wc -l <lost) of 40 members are lost, and told: $(wc -l <names)"
  done
  vtape damage Traw --json >json || [ $? = 8 ]
  assert_eq "$(jq -r '.[0].archive' json)" null
  vtape damage Ttgz >words || [ $? = 8 ]
  grep -q 'gzip, compressed; everything is lost from here on:' words || fail "$(cat words)"
}

# doors KIND: through each of them, EIO where it is hurt, and what is before and behind it is read.
doors() {
  local kind=$1 v=T$1 first last i n=0
  vtape damage "$v" --json >json || [ $? = 8 ]
  first=$(jq '[.[].first_record] | min' json) last=$(jq '[.[].last_record] | max' json)
  # The drive: it goes on behind each record that cannot be read.
  vtape drive load 0 "$v" >/dev/null
  : >bytes
  for ((i = 0; ; i++)); do
    if dd if="$MNT/drives/nst0" of=record bs=1M count=1 status=none 2>words; then
      [ -s record ] || break
      cat record >>bytes
    else
      grep -q 'Input/output error' words || fail "$(cat words)"
      [ "$i" -ge "$first" ] && [ "$i" -le "$last" ] || fail "$v: record $i cannot be read, and it is not told"
      n=$((n + 1))
    fi
    assert_eq "$("$MT" -f "$MNT/drives/nst0" tell | grep -o '[0-9]*')" $((i + 1))
  done
  assert_eq "$n" $((last - first + 1))
  # Over it, and back to before it.
  "$MT" -f "$MNT/drives/nst0" rewind
  "$MT" -f "$MNT/drives/nst0" fsr $((last + 1))
  dd if="$MNT/drives/nst0" of=record bs=1M count=1 status=none
  "$MT" -f "$MNT/drives/nst0" seek "$first"
  assert_fails dd if="$MNT/drives/nst0" of=record bs=1M count=1 status=none 2>words
  vtape drive unload 0 >/dev/null
  # tapes/: the same records.
  dd if="$MNT/tapes/default/$v" of=tape bs=1M conv=noerror status=noxfer 2>words || true
  assert_eq "$(grep -c 'Input/output error' words)" "$n"
  cmp tape bytes
  # files/: up to the first hurt byte, and behind the last.
  first=$(jq '[.[].from_bytes] | min' json) last=$(jq '[.[] | .from_bytes + .bytes] | max' json)
  cmp -n "$first" "a.$kind" "$MNT/files/default/$v/0001"
  cmp <(tail -c +$((last + 1)) "a.$kind") <(tail -c +$((last + 1)) "$MNT/files/default/$v/0001")
  assert_fails dd if="$MNT/files/default/$v/0001" of=record bs=1 count=1 skip="$first" status=none 2>words
  # The image: as a whole it cannot be had, and says so.
  assert_fails cat "$MNT/images/default/$v.tap" >image 2>words
  grep -q 'Input/output error' words || fail "$(cat words)"
  assert_fails vtape export "$v" "$v.tap" 2>words
  grep -q 'damaged' words || fail "$(cat words)"
  [ ! -e "$v.tap" ] || fail 'a part of an image is left under its name'
}

# Members through the mount, and restored: zeros where it is damaged, told.
members() {
  local f status=0 lost=0
  unreadable tar >lost
  for f in src/file*; do
    if cp "$MNT/files/default/Ttar/0001.d/$f" bytes 2>words; then
      cmp bytes "$f"
    else
      grep -q 'Input/output error' words || fail "$(cat words)"
      grep -qx "$f" lost || fail "$f cannot be read through the mount"
      lost=$((lost + 1))
    fi
  done
  assert_eq "$lost" "$(wc -l <lost)"
  mkdir out
  vtape restore -C out --json Ttar:1 >json 2>words || status=$?
  assert_eq "$status" 7
  assert_eq "$(jq -r .damaged json)" "$lost"
  for f in src/file*; do
    if cmp -s "$f" "out/$f"; then continue; fi
    grep -qx "$f" lost || fail "$f is not restored as it was"
  done
}

heal() {
  local kind
  for kind in $kinds raw; do
    dd if="a.$kind" of="$MNT/tapes/default/H$kind" bs=200k status=none
  done
  vtape damage >words || fail "after the same was written again: $(cat words)"
  grep -q 'nothing is known to be damaged' words || fail "$(cat words)"
  for kind in $kinds raw; do
    cmp "$MNT/files/default/T$kind/0001" "a.$kind"
  done
  for kind in $kinds; do
    assert_eq "$(unreadable "$kind")" ''
  done
  # The damage may have been in a header: that costs no data, and is mended.
  vtape check --data --repair >words 2>&1 || [ $? = 9 ] || fail "check --repair: $(cat words)"
  vtape check --data >words 2>&1 || fail "check: $(cat words)"
}

cd "$scratch"
make_archives
start_store
fill_tapes
hurt_packs
vtape scrub --wait --rate 1G >words || [ $? = 8 ]
named
doors raw
doors tar
members
heal
stop_store
