#!/usr/bin/env bash
# The changer with mtx, loaderinfo and Linux' ch: status, load, unload, transfer, exchange, import and export, what it
# refuses.  Tapes are told apart by what is on them, not by what the changer says.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
requires mtx mt tar loaderinfo
in_machine 600 "$@"

library_up drives=ibm-lto6 slots=20 ports=3
robot() { mtx -f "$changer" "$@"; }
# The barcode in slot N (1.., ports behind the slots) or drive N; "" if it is empty.
slot() { robot status | sed -nE "s/^ *Storage Element $1( IMPORT\/EXPORT)?:Full ?:VolumeTag=([^ ]*) *\$/\2/p"; }
drive() { robot status | sed -nE "s/^Data Transfer Element $1:Full.*:VolumeTag ?= ?([^ ]*) *\$/\1/p"; }
origin() { robot status | sed -nE "s/^Data Transfer Element $1:Full \(Storage Element ([0-9]+) Loaded\).*/\1/p"; }
write_tape() { echo "this is $2" >$scratch/name; tar -cf "$1" -C $scratch name; }
read_tape() { (cd $scratch && rm -f name && tar -xf "$1" && sed -n 's/^this is //p' name); }

step 'status'
robot status >$scratch/status
head -n 30 $scratch/status
grep -q '2 Drives, 23 Slots ( 3 Import/Export )' $scratch/status || fail 'another number of elements'
assert_eq "$(grep -c ':Full' $scratch/status)" 10 'full elements'
for n in {1..10}; do assert_eq "$(slot "$n")" "$(printf 'A%05dL6' "$n")" "slot $n"; done
assert_eq "$(grep -c 'IMPORT/EXPORT:Empty' $scratch/status)" 3 'empty ports'
robot inquiry | grep -q "Product Type: Medium Changer" || fail inquiry
robot inventory

step 'load, write, unload: with mt offline, rewound, and as it is'
robot load 1 0
assert_eq "$(drive 0)" A00001L6 'drive 0'
assert_eq "$(origin 0)" 1 'where it came from'
assert_eq "$(slot 1)" '' 'slot 1'
write_tape "$tape" one
mt -f "$tape" rewind
assert_eq "$(read_tape "$tape")" one 'tape one'
mt -f "$tape" offline
fails dd if="$tape" of=/dev/null bs=64k count=1
# It waits in the drive for the robot, as a cartridge does.
assert_eq "$(drive 0)" A00001L6 'drive 0, unloaded'
robot unload 1 0
assert_eq "$(drive 0)" '' 'drive 0'
assert_eq "$(slot 1)" A00001L6 'slot 1'
robot load 2 0
write_tape "$tape" two
mt -f "$tape" rewind
robot unload 2 0
robot load 3 0
write_tape "$tape" three
robot unload 3 0
assert_eq "$(slot 3)" A00003L6 'slot 3'

step 'what is on them, in the other drive, in another order'
robot load 3 1
assert_eq "$(read_tape "$tape1")" three 'tape three'
robot unload 3 1
robot load 1 1
assert_eq "$(read_tape "$tape1")" one 'tape one'
robot unload 9 1 && fail 'a full slot took a second tape'
robot unload 11 1
assert_eq "$(slot 11)" A00001L6 'slot 11'
robot load 2 1
assert_eq "$(read_tape "$tape1")" two 'tape two'
robot unload 2 1

step 'transfer, exchange'
robot transfer 11 1
assert_eq "$(slot 1):$(slot 11)" A00001L6: 'transferred'
robot exchange 1 2
assert_eq "$(slot 1):$(slot 2)" A00002L6:A00001L6 'exchanged'
robot exchange 1 2 12
assert_eq "$(slot 1):$(slot 2):$(slot 12)" :A00002L6:A00001L6 'exchanged, to a third place'
robot exchange 2 12 1
assert_eq "$(slot 1):$(slot 2):$(slot 12)" A00001L6::A00002L6 'and back'
robot transfer 12 2

step 'first, next, previous'
[ -z "$(drive 0)" ] || robot unload "$(origin 0)" 0
robot first 0
first=$(drive 0)
robot next 0
[ -n "$first" ] && [ -n "$(drive 0)" ] && [ "$(drive 0)" != "$first" ] || fail "next after $first gave $(drive 0)"
robot previous 0
assert_eq "$(drive 0)" "$first" 'previous'
robot unload "$(origin 0)" 0

step 'what it refuses'
robot load 2 0
fails robot load 3 0
fails robot load 15 1
fails robot unload 15 1
fails robot transfer 15 16
fails robot transfer 4 5
mt -f "$tape" rewind
mt -f "$tape" lock
fails robot unload 2 0
grep -qi 'illegal request' $scratch/said || fail 'another sense'
grep -q 'Additional Sense Code = 53' $scratch/said || fail 'another sense code'
mt -f "$tape" unlock
robot unload 2 0

step 'a tape that a program has through the mount stays'
robot load 2 0
exec 5<>$scratch/mnt/drives/nst0
fails robot unload 2 0
exec 5>&-
until_true 10 robot unload 2 0

step 'import and export'
robot transfer 10 21
assert_eq "$(slot 21)" A00010L6 'port 1'
vt changer export A00010L6
robot status >/dev/null || true
assert_eq "$(slot 21)" '' 'port 1, exported'
vt changer import A00010L6
robot status >/dev/null || true
assert_eq "$(slot 21)" A00010L6 'port 1, imported'
robot transfer 21 10
assert_eq "$(slot 10)" A00010L6 'slot 10'
robot eject

step "Linux' own driver, loaderinfo"
if [ -c /dev/sch0 ]; then
  mtx -f /dev/sch0 status | grep -q 'A00004L6' || fail 'ch'
  dmesg | grep -E ' ch[0-9]' | tail -n 8 || true
fi
loaderinfo -f "$changer" | tee $scratch/info
grep -q 'Product Type: Medium Changer' $scratch/info || fail 'product type'
grep -q 'Bar Code Reader: Yes' $scratch/info || fail 'bar codes'
grep -q 'EAAP: Yes' $scratch/info || fail 'element address assignment page'
grep -q 'Number of Storage Elements: 20' $scratch/info || fail 'slots'
grep -q 'Number of Import/Export Elements: 3' $scratch/info || fail 'ports'
grep -q 'Number of Data Transfer Elements: 2' $scratch/info || fail 'drives'
grep -q 'Transport Geometry Descriptor Page: Yes' $scratch/info || fail 'geometry'
grep -q 'Device Configuration Page: Yes' $scratch/info || fail 'capabilities'

step 'the daemon is killed between two moves'
robot load 5 0
write_tape "$tape" five
mt -f "$tape" rewind
kill -9 "$(pidof vtaped)"
umount -l $scratch/mnt 2>/dev/null || true
robot status >$scratch/status &
waiting=$!
sleep 1
"$VTAPE" mount --drives 2 $scratch/store $scratch/mnt
wait "$waiting" || fail 'status over a restart'
assert_eq "$(drive 0)" A00005L6 'drive 0 behind it'
assert_eq "$(read_tape "$tape")" five 'tape five behind it'
mt -f "$tape" rewind
robot unload 5 0
assert_eq "$(slot 5)" A00005L6 'slot 5'

step 'a large library'
vt scsi down
vt scsi up slots=60000
until_true 60 test -n "$(column changer 3)"
changer=$(column changer 3)
began=$SECONDS
robot status >$scratch/status
echo "60000 slots: $((SECONDS - began)) s"
assert_eq "$(grep -c 'Storage Element' $scratch/status)" 60003 'slots'
[ $((SECONDS - began)) -lt 120 ] || fail 'too slow'
robot load 4 0
robot transfer 7 60000
assert_eq "$(slot 60000)" A00007L6 'slot 60000'
