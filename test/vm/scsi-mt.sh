#!/usr/bin/env bash
# Linux' st driver with every operation of mt, tar with several archives and sizes of blocks, dd with records of odd
# lengths.  Positions are st's and the drive's; what is read back is compared.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
requires mt tar dd cmp mtx
in_machine 900 "$@"

library_up drives=ibm-lto6
mtx -f "$changer" load 1 0
t() { mt -f "$tape" "$@"; }
# "file block" as st counts; "-1 -1" if it does not know.
at() { t status | sed -nE 's/^File number=(-?[0-9]+), block number=(-?[0-9]+),.*/\1 \2/p'; }
tell() { t tell | sed -nE 's/^At block ([0-9]+)\..*/\1/p'; }
has() { t status | grep -q "$1" || { t status; fail "status without $1"; }; }
here() { assert_eq "$(at)" "$1" "$2"; }
# FILES of RECORDS random records of BYTES each, with a filemark behind each.
fill() {
  local n
  for ((n = 0; n < $1; n++)); do
    head -c $(($2 * $3)) /dev/urandom >$scratch/file$n
    dd if=$scratch/file$n of="$tape" bs="$3" status=none
  done
}

step 'status of a fresh tape'
t rewind
t status
has BOT; has ONLINE
here '0 0' 'at the beginning'
t densities >/dev/null

step 'over filemarks and records'
fill 3 5 32768
here '3 0' 'behind three files'
assert_eq "$(tell)" 18 'objects'
t rewind; here '0 0' rewind
t fsf 1; here '1 0' 'fsf 1'
t fsr 2; here '1 2' 'fsr 2'
t bsr 1; here '1 1' 'bsr 1'
t fsf 1; here '2 0' 'fsf 1'
t bsf 1; here '1 -1' 'bsf 1'
t fsf 1; here '2 0' 'over the mark again'
t bsfm 1; here '2 0' 'bsfm 1'
t rewind; t fsfm 1; here '0 -1' 'fsfm 1'
t asf 2; here '2 0' 'asf 2'
t asf 0; here '0 0' 'asf 0'
t eod; here '3 -1' eod
has EOD
t rewind; t seod; here '3 -1' seod
assert_eq "$(tell)" 18 'behind all of it'
fails t fsr 1
fails t fsf 1
t rewind
fails t bsr 1
has BOT
t rewind; t fsf 1; t fsr 5
fails t fsr 1
here '2 0' 'a record that was a filemark'
t asf 1
fails t fsr 7

step 'tell, seek'
for block in 0 7 17 18 3; do
  t seek $block
  assert_eq "$(tell)" $block "seek $block"
done
t seek 6
dd if="$tape" bs=64k count=1 status=none | cmp - <(head -c 32768 $scratch/file1) || fail 'the seventh object'
t rewind
for n in 0 1 2; do dd if="$tape" bs=64k status=none | cmp - $scratch/file$n || fail "file $n"; done
assert_eq "$(dd if="$tape" bs=64k status=none | wc -c)" 0 'end of data'
fails dd if="$tape" bs=64k of=/dev/null

step 'marks, written over, erased'
t asf 1
t weof 2; here '3 0' 'weof 2'
t bsf 2; t fsf 1
dd if="$tape" bs=64k status=none | cmp - /dev/null || fail 'between two marks'
t eod; assert_eq "$(tell)" 8 'what lay behind is gone'
fails t wset 1
t rewind
t erase
t rewind
fails dd if="$tape" bs=64k of=/dev/null
t eod; assert_eq "$(tell)" 0 'an erased tape'

step 'in and out'
fill 1 3 1000
t offline
t status | grep -q DR_OPEN || fail 'offline'
t load
here '0 0' load
dd if="$tape" bs=64k status=none | cmp - $scratch/file0 || fail 'after load'
t lock
fails mtx -f "$changer" unload 1 0
t unlock
t retension
here '0 0' retension
t rewoffl
t load

step 'blocks of one size'
t setblk 512
t rewind
head -c 51200 /dev/urandom >$scratch/fixed
dd if=$scratch/fixed of="$tape" bs=5120 status=none
fails dd if=$scratch/fixed of="$tape" bs=700 count=1
t rewind
t fsr 100
t bsr 99
assert_eq "$(tell)" 1 'records of 512'
dd if="$tape" bs=512 count=99 status=none | cmp - <(tail -c +513 $scratch/fixed) || fail 'from the second record'
t rewind
dd if="$tape" bs=10240 status=none | cmp - $scratch/fixed || fail 'by 20'
t setblk 1024
t rewind
fails dd if="$tape" bs=1024 of=/dev/null
t setblk 0
t rewind
assert_eq "$(dd if="$tape" bs=64k count=1 status=none | wc -c)" 512 'a record'
t defblksize 1024
t rewind
t defblksize 0
t setblk 0

step 'modes'
t compression 0; t compression 1
t drvbuffer 0; t drvbuffer 1
t defcompression 1; t defdrvbuffer 1
density=$(t status | sed -nE 's/.*Density code (0x[0-9a-f]+).*/\1/p')
assert_eq "$density" 0x5a 'density of LTO-6'
t setdensity "$density"
fails t setdensity 0x15
t defdensity "$density"
for option in buffer-writes async-writes read-ahead debug fast-eod no-wait scsi2logical sili auto-lock; do
  t stsetoptions $option
  t stclearoptions $option
done
t sttimeout 900; t stlongtimeout 14000

step 'fast-eod and sili'
t rewind; fill 2 4 10000
t stsetoptions fast-eod sili
t rewind; t eod; assert_eq "$(tell)" 10 'fast eod'
t rewind
dd if="$tape" bs=256k status=none | cmp - $scratch/file0 || fail 'sili'
t stclearoptions fast-eod sili

step 'partitions'
t stsetoptions can-partitions
t rewind
t mkpartition 1000
t setpartition 0; fill 1 2 20000; cp $scratch/file0 $scratch/first
t setpartition 1; fill 1 3 30000; cp $scratch/file0 $scratch/second
t setpartition 0; t rewind
dd if="$tape" bs=64k status=none | cmp - $scratch/first || fail 'partition 0'
t partseek 1 1
dd if="$tape" bs=64k status=none | cmp - <(tail -c 60000 $scratch/second) || fail 'partition 1'
t mkpartition 0
t stclearoptions can-partitions

step 'tar, several archives, blocks of 10 KiB to 1 MiB'
mkdir -p $scratch/tree/sub
head -c 3000000 /dev/urandom >$scratch/tree/noise
seq 100000 >$scratch/tree/sub/numbers
ln -s noise $scratch/tree/link
touch $scratch/tree/empty
for b in 20 64 128 512 2048; do
  t rewind
  for n in 1 2 3; do tar -b $b -cf "$tape" -C $scratch tree; done
  for n in 2 0 1; do
    t asf $n
    tar -b $b -df "$tape" -C $scratch || fail "tar -d, archive $n, -b $b"
  done
  t asf 1
  rm -rf $scratch/out; mkdir $scratch/out
  tar -b $b -xf "$tape" -C $scratch/out
  diff -r $scratch/tree $scratch/out/tree || fail "extracted, -b $b"
  t rewind
  rewinding=${tape/nst/st}
  tar -b $b -tf "$rewinding" >/dev/null
  assert_eq "$(tell)" 0 'st rewinds'
done
t rewind
fails tar -b 20 -tf "$tape"

step 'a tape that ends: tar goes on with the next'
mtx -f "$changer" unload 1 0
vt volume create --capacity 8M B00001L6
head -c 12000000 /dev/urandom >$scratch/big
vt drive load nst0 B00001L6
until_true 10 mt -f "$tape" rewind
cat >$scratch/next <<'NEXT'
#!/bin/bash
mt -f "$TAR_ARCHIVE" rewind
"$VTAPE" -s /mnt/scratch/store drive unload nst0 || exit 1
"$VTAPE" -s /mnt/scratch/store drive load nst0 "$(cat /mnt/scratch/then)" || exit 1
for i in 1 2 3 4 5; do mt -f "$TAR_ARCHIVE" rewind && exit 0; sleep 1; done
exit 1
NEXT
chmod +x $scratch/next
export VTAPE
echo A00002L6 >$scratch/then
tar -b 128 -M -F $scratch/next -cf "$tape" -C $scratch big
mt -f "$tape" rewind
vt drive unload nst0
vt drive load nst0 B00001L6
until_true 10 mt -f "$tape" rewind
mkdir -p $scratch/back
tar -b 128 -M -F $scratch/next -xf "$tape" -C $scratch/back
cmp $scratch/big $scratch/back/big || fail 'over two tapes'

step 'records of odd lengths'
t rewind
lengths=(1 2 3 511 512 513 1000 4095 4097 10240 32769 65535 65536 100001 262145 524288 700000 1048575 1048576)
for n in "${lengths[@]}"; do
  head -c "$n" /dev/urandom >$scratch/record$n
  dd if=$scratch/record$n of="$tape" bs=1M iflag=fullblock status=none
done
t rewind
for n in "${lengths[@]}"; do
  dd if="$tape" bs=1M count=1 status=none | cmp - $scratch/record$n || fail "a record of $n bytes"
  t fsf 1
done
t asf 6
fails dd if="$tape" bs=999 count=1 of=/dev/null
grep -q 'Cannot allocate memory' $scratch/said || fail 'a record that is longer'
fails dd if=$scratch/big of="$tape" bs=1048577 count=1
grep -q 'Invalid argument\|Value too large' $scratch/said || fail 'a record that is too long'
