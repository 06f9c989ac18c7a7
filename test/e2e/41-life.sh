#!/usr/bin/env bash
# The life of a tape: barcodes, scratch, assigned, expired and scratch again; drives that load the next one by themselves.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
MT=${MT:-mt}
requires tar cmp "$MT"

start_store
N=$MNT/drives/nst0
cd "$scratch"
state() { vtape volume list -H "$1" | cut -f3; }
pool_of() { vtape volume list -H "$1" | cut -f2; }
# close(2) returns before the drive has been told of it
holds() { [ "$(vtape drive list -H | sed -n 1p | cut -f2)" = "$1" ]; }
in_drive() { wait_until 5 holds "$1" || fail "line ${BASH_LINENO[0]}: nst0 holds not $1: $(vtape drive list)"; }

# By the pool's barcode, counting on, over names that somebody took
vtape pool create daily barcode=D00001L8 capacity=1M
assert_eq "$(vtape volume create -p daily --count 2)" "D00001L8 to D00002L8"
vtape volume create -p daily D00004L8
assert_eq "$(vtape volume create -p daily --count 2)" "D00003L8 to D00005L8"
assert_eq "$(vtape pool get daily barcode -H | cut -f2)" D00006L8
assert_eq "$(vtape volume create -p daily --count 1)" D00006L8
assert_fails vtape volume create --count 2 2>err
grep -q "pool default has no barcode" err

# By a list: all or nothing, and where it is wrong
printf '# from the library\nX00001\n\nX00002 # second\nX00001\n' >list
assert_fails vtape volume create --from list 2>err
grep -q 'line 5: "X00001" is on line 2 already' err
printf 'Y1\nY 2\n' >list
assert_fails vtape volume create --from list 2>err
grep -q 'line 2: "Y 2" is no name' err
printf 'Y1\n#\nD00001L8\n' | assert_fails vtape volume create --from - 2>err
grep -q 'line 3: there is a volume D00001L8 already' err
assert_fails vtape volume list Y1 2>/dev/null
printf 'X00001\r\n  X00002 # second' | vtape volume create --from -
echo Z1-Z3 | vtape volume create --from -
assert_eq "$(vtape volume list -H 'Z*' | cut -f1)" Z1-Z3
assert_eq "$(vtape volume list -H 'X*' | cut -f1 | tr '\n' ' ')" "X00001 X00002 "
assert_fails vtape volume create --from list --count 1 2>/dev/null
assert_fails vtape volume create 2>/dev/null

# Scratch, assigned, expired, scratch in the pool for that
assert_fails vtape pool create never scratch=free 2>/dev/null
assert_fails vtape pool list never 2>/dev/null
vtape pool create free
vtape pool set daily scratch=free expire=30d
echo data >"$MNT/tapes/daily/D00001L8"
echo keep >"$MNT/tapes/daily/D00002L8"
echo lock >"$MNT/tapes/daily/D00003L8"
assert_eq "$(state D00001L8)" assigned
assert_eq "$(vtape volume list -H --state scratch -p daily | wc -l)" 3
vtape pool expire >out
grep -q '^0 of 3 volumes became scratch' out
vtape volume set D00001L8 D00003L8 expires=2020-01-01
vtape volume set D00002L8 expires=never
vtape volume lock D00003L8 --for 1d --yes >/dev/null
vtape pool expire --dry-run --json 2>/dev/null >out
grep -q '"volume":"D00001L8".*"what":"scratch"' out
grep -q '"volume":"D00003L8".*"what":"kept","why":"locked until' out
assert_eq "$(state D00001L8)" assigned
vtape pool expire default
assert_eq "$(state D00001L8)" assigned
vtape pool expire daily >out
grep -q 'D00003L8 .*kept .*locked until' out
grep -q '^1 of 3 volumes became scratch (5 B), 1 expired and kept, 0 failed' out
assert_eq "$(state D00001L8) $(pool_of D00001L8)" "scratch free"
assert_eq "$(state D00003L8)" expired
assert_eq "$(cat "$MNT/tapes/daily/D00003L8" "$MNT/tapes/daily/D00002L8")" "lock
keep"
assert_eq "$(wc -c <"$MNT/tapes/free/D00001L8")" 0
vtape volume restore-generation D00001L8 1 >/dev/null
assert_eq "$(cat "$MNT/tapes/free/D00001L8")" data
vtape volume erase --yes D00001L8
vtape volume set D00003L8 expires=10d
vtape pool expire >/dev/null
assert_eq "$(state D00003L8)" assigned
for e in volume-expired volume-scratched expired; do
  vtape events -n 0 | grep -q " $e " || fail "no event $e"
done

# By hand
vtape volume set D00004L8 state=error
vtape volume set D00005L8 state=assigned
assert_fails vtape volume set D00002L8 state=scratch 2>err
grep -q "vtape volume erase" err
assert_fails vtape volume set D00002L8 expires=soon 2>/dev/null
vtape volume set D00005L8 state=scratch

# The next scratch one: the pool's own, the one that has been so longest first, then the scratch pool's
assert_eq "$(vtape drive load nst0 --scratch daily)" D00005L8
assert_fails vtape drive load nst0 --scratch daily 2>/dev/null
assert_eq "$(vtape drive load nst1 --scratch daily)" D00006L8
assert_eq "$(vtape drive load nst2 --scratch daily)" D00001L8
assert_eq "$(pool_of D00001L8)" daily
assert_fails vtape drive load nst3 --scratch daily 2>err
grep -q "no scratch volume, nor has its scratch pool free" err
vtape events -n 0 | grep -q " no-scratch "
for n in 0 1 2; do
  vtape drive unload $n
done

# Labels: written, refused over data, and their dates
vtape pool create lab expire-label=on
vtape volume create -p lab L00001L8 L2 L3 L4
assert_eq "$(vtape volume label L00001L8 --owner 'THE HOUSE')" "L00001L8 is labelled L00001"
T=$MNT/tapes/lab
assert_eq "$(dd if="$T/L00001L8" bs=80 count=1 status=none)" "$(printf 'VOL1%-33s%-42s3' L00001 'THE HOUSE')"
assert_eq "$(vtape volume list -H L00001L8 | cut -f4,6,7)" "$(printf '400\t4\t5')"
assert_eq "$(state L00001L8)" assigned
assert_fails vtape volume label L00001L8 2>err
grep -q -- "--overwrite" err
assert_fails vtape volume label L00001L8 --overwrite </dev/null 2>/dev/null
vtape volume label L00001L8 --overwrite --yes --ibm --id IBM001 >/dev/null
assert_eq "$(dd if="$T/L00001L8" bs=80 count=1 status=none | dd conv=ascii status=none | cut -c1-10)" VOL1IBM001
assert_fails vtape volume label D00001L8X 2>/dev/null
assert_fails vtape volume label L2 --id toolong1 2>/dev/null
assert_fails vtape volume label L2 --id small 2>/dev/null
assert_eq "$(state L2)" scratch
vtape events -n 0 | grep -q " labelled "
dated() { # VOLUME DATE
  { printf '%-80s' "VOL1$1"
    printf '%-80s' "$(printf 'HDR1%-17s%-6s000100010001000260%02d%6s' FILE "$1" 1 "$2")"; } | dd of="$T/$1" bs=80 status=none
}
dated L2 020001
dated L3 ' 99365'
dated L4 "0$(date -d '+2 days' +%y%j)"
vtape pool expire lab >out 2>&1 || { cat out; fail "pool expire lab"; }
grep -q 'L2 .*scratch' out
assert_eq "$(state L2) $(state L3) $(state L4) $(state L00001L8)" "scratch assigned assigned assigned"

# tar over three small tapes: the information script does nothing but `mt offline`
mkdir src
head -c 2500000 /dev/urandom >src/random
seq 1000 >src/numbers
vtape pool create stack capacity=1M
vtape volume create -p stack S1 S2 S3 S4
assert_fails vtape drive set nst0 stacker=none-such 2>/dev/null
assert_fails vtape drive set nst0 stacker=stack:some 2>/dev/null
vtape drive set nst0 stacker=stack
assert_eq "$(vtape drive list -H | sed -n 's/^nst0\t.*\t//p')" stack
assert_eq "$(vtape drive load nst0 --scratch)" S1
printf '#!/bin/sh\nexec %s -f %s offline\n' "$(command -v "$MT")" "$N" >next
chmod +x next
tar -cM -b 20 -F ./next -f "$N" src
in_drive S3
assert_eq "$(vtape volume list -H --state assigned -p stack | cut -f1 | tr '\n' ' ')" "S1 S2 S3 "
"$MT" -f "$N" offline
in_drive S4
"$MT" -f "$N" offline
in_drive -

# And back, in the order of names; a restart keeps the mode
vtape drive set nst0 stacker=stack:all
stop_store
start_store
assert_eq "$(vtape drive list -H | sed -n 's/^nst0\t.*\t//p')" stack:all
vtape drive load nst0 S1
mkdir back
tar -xM -b 20 -F ./next -f "$N" -C back
diff -r src back/src
in_drive S3
vtape drive set nst0 stacker=off
"$MT" -f "$N" offline
in_drive -

# Without a daemon, as a timer may find the store
vtape volume set S1 expires=2020-01-01
stop_store
vtape pool expire stack | grep -q '^1 of 3 volumes became scratch'
assert_eq "$(state S1)" scratch
