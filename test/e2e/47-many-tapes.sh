#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Files that tar -M has put on several tapes: found in parts, restored whole, or not at all.
. "$(dirname "$0")/../lib/functions.sh"
MT=${MT:-mt}
requires tar cmp jq "$MT"

start_store
N=$MNT/drives/nst0
cd "$scratch"
json() {
  jq -er "$1" "$scratch/json"
}

# backup POOL FILE...: over tapes of 1 MB, one after the other
printf '#!/bin/sh\nexec %s -f %s offline\n' "$(command -v "$MT")" "$N" >next
chmod +x next
backup() {
  vtape pool create "$1" capacity=1M
  vtape volume create -p "$1" "$1"1 "$1"2 "$1"3 "$1"4
  vtape drive set nst0 stacker="$1"
  vtape drive load nst0 --scratch >/dev/null
  tar -cM -b 20 -F ./next -f "$N" "${@:2}"
  vtape drive set nst0 stacker=off
  "$MT" -f "$N" offline
  vtape contents settle >/dev/null
}

mkdir -p src/folder
echo first >src/folder/aaa
head -c 2500000 /dev/urandom >src/folder/random
echo last >src/zzz
touch -d '2001-02-03 04:05:06' src/folder/random
chmod 4751 src/folder/random
backup A src/folder/aaa src/folder/random src/zzz

# Each part says which one it is
vtape find --json --exact random >json
assert_eq "$(jq -sr 'length' json)" 3
assert_eq "$(jq -sr 'sort_by(.volume) | map(.before // 0)[0]' json)" 0
assert_eq "$(jq -sr 'sort_by(.volume) | map(select(.missing)) | length' json)" 2
assert_eq "$(jq -sr 'map((.before // 0) + .size_bytes == 2500000) | all' json)" true
assert_eq "$(jq -sr 'sort_by(.volume) | (.[0].size_bytes - .[0].missing == .[1].before) and
  (.[1].before + .[1].size_bytes - .[1].missing == .[2].before)' json)" true
vtape ls -l -R A1:1 | grep -q 'random (without the last [0-9]* bytes)'
vtape ls -l -R A2:1 | grep -q 'random (from byte [0-9]* on) (without the last [0-9]* bytes)'
vtape ls -l -R A3:1 | grep -q 'random (from byte [0-9]* on)$'

# From any of its tapes, or by name: whole, as it was, with what else is there
for from in A1 A2 A3 'A1 A2 A3' 'A3 A2 A1' 'A2:1:src/folder/random' '--find random' '--find src/**'; do
  rm -rf out && mkdir out
  # shellcheck disable=SC2086
  (set -f; vtape restore --json -C out $from >json)
  cmp src/folder/random out/src/folder/random
  assert_eq "$(json .joined)" 1
  assert_eq "$(stat -c '%a %Y' out/src/folder/random)" "$(stat -c '%a %Y' src/folder/random)"
done
diff -r src out/src
rm -rf out && mkdir out
vtape restore -C out --all-versions A1 A2 A3
for n in 1 2 3; do
  cmp src/folder/random "out/A$n/0001/src/folder/random"
done

# What reads one tape only does not take a part for all of it
assert_fails vtape cat A2:1:src/folder/random >part 2>err
grep -q 'first [0-9]* bytes of "random" are on the tape before' err || fail "$(cat err)"
assert_eq "$(stat -c %s part)" 0
assert_eq "$(vtape cat A3:1:src/zzz)" last
assert_fails cat "$MNT/files/A/A2/0001.d/src/folder/random" >part 2>/dev/null
assert_eq "$(stat -c %s part)" 0
assert_fails cat "$MNT/files/A/A1/0001.d/src/folder/random" >/dev/null 2>&1
assert_eq "$(cat "$MNT/files/A/A3/0001.d/src/zzz")" last

# Again next week, of the same size on tapes of the same size: each to its own
cp -a src old
head -c 2500000 /dev/urandom >src/folder/random
backup B src/folder/aaa src/folder/random src/zzz
for n in 1 2 3; do
  rm -rf out && mkdir out
  vtape restore -C out "A$n"
  cmp old/folder/random out/src/folder/random
  rm -rf out && mkdir out
  vtape restore -C out "B$n"
  cmp src/folder/random out/src/folder/random
done

# As a pax archive it says so in other words, and there the path is whole
backup P --format=posix -V weekly src/folder/aaa src/folder/random src/zzz
for n in 1 2 3; do
  rm -rf out && mkdir out
  vtape restore --json -C out "P$n" >json
  cmp src/folder/random out/src/folder/random
  assert_eq "$(json .joined)" 1
  [ ! -e out/src/folder/GNUFileParts ] || fail 'a part was restored'
done

# Of a long path later tapes have the beginning only: the first one knows it
long=long/$(printf 'd%.0s' {1..60})/$(printf 'e%.0s' {1..60})
mkdir -p "$long"
mv src/folder/random "$long/f"
backup L "./$long/f" 2>/dev/null
rm -rf out && mkdir out
vtape restore --json -C out --find f >json
cmp "$long/f" "out/$long/f"
assert_eq "$(json .joined)" 1
mv "$long/f" src/folder/random

# One of the tapes is gone: refused, or as far as it goes, and never with bytes of last week
vtape volume erase --yes B2
vtape contents settle >/dev/null
rm -rf out && mkdir out
status=0
vtape restore --json -C out B3 >json 2>err || status=$?
assert_eq "$status" 7
assert_eq "$(json .damaged)" 1
grep -q 'src/folder/random: not restored: its first [0-9]* bytes are on the tape before, which is not here' err ||
  fail "$(cat err)"
[ ! -e out/src/folder/random ] || fail 'a part was restored'
assert_eq "$(cat out/src/zzz)" last
status=0
vtape restore --json -C out B1 >json 2>err || status=$?
assert_eq "$status" 7
good=$(sed -n 's/.*zeros from byte \([0-9]*\) on (its last [0-9]* bytes are not there).*/\1/p' err)
[ "${good:-0}" -gt 500000 ] || fail "$(cat err)"
cmp -n "$good" src/folder/random out/src/folder/random
assert_eq "$(stat -c %s out/src/folder/random)" 2500000
rm -rf out && mkdir out
vtape restore -C out A2
cmp old/folder/random out/src/folder/random

# Tapes know by themselves which belong together
vtape contents forget >/dev/null
rm -rf out && mkdir out
vtape restore -C out A3
cmp old/folder/random out/src/folder/random
