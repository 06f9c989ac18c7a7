#!/usr/bin/env bash
# drives/: mt and tar against an emulated drive, from the first status to a backup over several tapes.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
MT=${MT:-mt}
requires tar dd cmp "$MT"

start_store
N=$MNT/drives/nst0
R=$MNT/drives/st0
cd "$scratch"
mkdir src
head -c 2000000 /dev/urandom >src/random
seq 50000 >src/numbers

m() { "$MT" -f "$N" "$@"; }
at() { # FILE BLOCK
  local s
  s=$(m status)
  [[ $s == *"File number=$1, block number=$2,"* ]] || fail "line ${BASH_LINENO[0]}: not at file $1 block $2: $s"
}
shows() { # BIT...
  local s bit
  s=$(m status)
  for bit; do
    [[ $s == *" $bit"* ]] || fail "line ${BASH_LINENO[0]}: no $bit in: $s"
  done
}

# No tape
shows DR_OPEN
assert_fails cat "$N" 2>err
grep -q "No medium found" err
assert_fails m rewind 2>/dev/null

# Motion
vtape volume create D1 D2 D3 >/dev/null
vtape drive load 0 D1 >/dev/null
shows BOT ONLINE
m status | grep -q "Density code 0x5e (LTO-8)" || fail "mt has no name for the density"
tar -cf "$N" -b 128 src
at 1 0
shows EOF
tar -cf "$N" -b 20 src/numbers
at 2 0
m rewind
at 0 0
m fsf 1
at 1 0
tar -df "$N"
m bsfm 1
at 1 0
m asf 0
tar -df "$N" -b 128
m asf 1
assert_eq "$(tar -tf "$N")" src/numbers
m eod
shows EOD
at 2 0
assert_fails m fsf 1 2>/dev/null
m seek 1
m fsr 2
at 0 3
m bsr 1
at 0 2
assert_eq "$(m tell)" "At block 2."
assert_fails m asf 9 2>/dev/null
tar -df "$R" -b 128 2>/dev/null && fail "st0 does not begin where nst0 stood" || true
at 0 0
tar -df "$R" -b 128
at 0 0

# Fixed blocks
m eod
m setblk 512
dd if=src/random of="$N" bs=512k conv=notrunc status=none iflag=fullblock count=3
assert_fails dd if=src/random of="$N" bs=1000 count=1 conv=notrunc status=none 2>/dev/null
m asf 2
dd if="$N" bs=64k status=none | cmp - <(head -c 1572864 src/random)
m setblk 0
m asf 2
assert_eq "$(dd if="$N" bs=64k count=1 status=none | wc -c)" 512
m asf 0
assert_eq "$(dd if="$N" bs=64k count=1 status=none | wc -c)" 65536

# A drive that one program has is busy for the next, and free the moment it was closed
exec 9<"$N"
assert_fails m status 2>err
grep -qi "busy" err
assert_fails vtape drive unload 0 2>/dev/null
exec 9<&-
for _ in $(seq 200); do
  m fsf 0
  "$MT" -f "$R" rewind
done

# The door
m lock
assert_fails vtape drive unload 0 2>/dev/null
m offline
shows DR_OPEN
m load
at 0 0
vtape drive unload 0 >/dev/null

# Write protection
vtape volume set D1 protect=on >/dev/null
vtape drive load 0 D1 >/dev/null
shows WR_PROT
assert_fails dd if=/dev/zero of="$N" bs=1k count=1 conv=notrunc status=none 2>err
grep -q "Read-only file system" err
assert_fails m weof 2>/dev/null
assert_fails m erase 2>/dev/null
tar -df "$N" -b 128
vtape drive unload 0 >/dev/null
vtape volume set D1 protect=off >/dev/null

# The end of a tape, and a backup over three of them
vtape volume set D1 D2 D3 capacity=1M >/dev/null
vtape volume erase --yes D1 >/dev/null
vtape drive load 0 D1 >/dev/null
assert_fails dd if=/dev/urandom of="$N" bs=16k conv=notrunc status=none 2>err
grep -q "No space left on device" err
at 1 0
written=$(stat -c %s "$MNT/tapes/default/D1")
[ "$written" -gt 900000 ] && [ "$written" -le 1048576 ] || fail "the tape ended at $written"
m rewind
cat >next <<EOF
#!/bin/sh
"$MT" -f "$N" offline &&
"$VTAPE" -s "$STORE" drive load 0 "D\$TAR_VOLUME" >&2
EOF
chmod +x next
tar -cM -F ./next -b 32 -f "$N" src
vtape drive unload 0 >/dev/null
vtape drive load 0 D1 >/dev/null
mkdir out
tar -xM -F ./next -b 32 -f "$N" -C out
diff -r src out/src
vtape drive unload 0 >/dev/null

# Options
vtape volume create OPT >/dev/null
vtape drive load 0 OPT >/dev/null
m stsetoptions two-fms
echo x | dd of="$N" conv=notrunc status=none
at 1 0
echo y | dd of="$N" conv=notrunc status=none
m stclearoptions two-fms
assert_eq "$(ls "$MNT/files/default/OPT" | tr '\n' ' ')" "0001 0002 0003 "
m stsetoptions can-partitions
m mkpartition 500
m setpartition 1
echo in one | dd of="$N" conv=notrunc status=none
m setpartition 0
shows BOT
echo in zero | dd of="$N" conv=notrunc status=none
m setpartition 1
m rewind
assert_eq "$(cat "$N")" "in one"

# What is loaded stays loaded
stop_store
start_store
shows ONLINE
stop_store
