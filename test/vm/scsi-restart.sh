#!/usr/bin/env bash
# The daemon is killed while a program writes to /dev/nst0, again and again, and each time the store is mounted again: the
# program notices nothing, and every byte is there once.  A program is killed while it writes, a drive is reset, a tape is
# asked for while it is busy.   scsi-restart.sh [KILLS]
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
packages mtx sg3-utils
in_machine 1200 "$@"

kills=${1:-5}
library_up drives=ibm-lto6
mtx -f "$changer" load 1 0
daemon() { vt status --json | sed -nE 's/.*"pid": *([0-9]+).*/\1/p'; }
again() {
  "$VTAPE" mount --drives 2 $scratch/store $scratch/mnt 2>$scratch/said || { cat $scratch/said; fail 'it cannot be mounted again'; }
}

step "$kills kills while dd writes"
head -c $((64 << 20)) /dev/urandom >$scratch/data
dd if=$scratch/data of="$tape" bs=64k status=none &
writer=$!
for ((i = 0; i < kills; i++)); do
  sleep 0.$((RANDOM % 9 + 1))
  kill -0 $writer 2>/dev/null || break
  pid=$(daemon)
  kill -9 "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
  sleep 0.5
  again
done
wait $writer || fail "dd ended with $? after $i kills"
[ "$i" -ge 2 ] || fail "only $i kills before dd was done"
mt-st -f "$tape" rewind
dd if="$tape" of=$scratch/back bs=64k status=none
cmp $scratch/data $scratch/back || fail 'not what was written'
dmesg | grep -iE 'st0.*(error|reset)|Power-on or device reset' | tail -n +8 >$scratch/said || :
step "$i kills; nothing was lost and nothing twice"

step 'a kill while it reads'
mt-st -f "$tape" rewind
dd if="$tape" of=$scratch/back bs=64k status=none &
reader=$!
sleep 0.3
pid=$(daemon)
kill -9 "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
again
wait $reader || fail "dd ended with $?"
cmp $scratch/data $scratch/back || fail 'not what was written'

step 'a kill between a move and its answer, or before, or behind: the tape is in one place'
for ((i = 0; i < 3; i++)); do
  mtx -f "$changer" load 2 1 >/dev/null 2>&1 &
  mover=$!
  sleep 0.0$((RANDOM % 9))
  pid=$(daemon)
  kill -9 "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
  again
  wait $mover || fail "mtx ended with $?"
  assert_eq "$(vt changer list -H | grep -c A00002L6)" 1 'places of A00002L6'
  assert_eq "$(vt changer list -H | awk -F '\t' '$2 == "A00002L6" { print $1 }')" nst1 'it was loaded'
  mtx -f "$changer" unload 2 1 >/dev/null || fail 'it cannot be unloaded'
done

step 'a program is killed while it writes'
mt-st -f "$tape" rewind
dd if=/dev/urandom of="$tape" bs=64k status=none &
writer=$!
sleep 1
kill -9 $writer
wait $writer || :
until_true 30 mt-st -f "$tape" rewind
dd if="$tape" of=/dev/null bs=64k status=none || fail 'what it wrote cannot be read'

step 'a reset of the drive'
mt-st -f "$tape" rewind
sg_reset --device "$tape_sg" || sg_reset -d "$tape_sg" || fail sg_reset
mt-st -f "$tape" status >/dev/null 2>&1 || :
until_true 30 mt-st -f "$tape" rewind
dd if="$tape" of=/dev/null bs=64k count=1 status=none || fail 'not usable after a reset'

step 'one user at a time'
mt-st -f "$tape" fsr 1
fails vt drive unload 0
fails dd if=$scratch/mnt/drives/nst0 of=/dev/null bs=64k count=1
mt-st -f "$tape" rewind
dd if=$scratch/mnt/drives/nst0 of=/dev/null bs=64k count=1 status=none || fail 'a rewound tape is not free for the mount'
mt-st -f "$tape" lock
mt-st -f "$tape" fsr 1 || mt-st -f "$tape" fsr 1
fails mtx -f "$changer" unload 1 0
mt-st -f "$tape" unlock
mt-st -f "$tape" rewind
mtx -f "$changer" unload 1 0

step 'units go with the mount and come with it'
"$VTAPE" umount $scratch/mnt
! ls /sys/kernel/config/target/core/user_*/vtape-* >/dev/null 2>&1 || fail 'a backstore is still there'
again
until_true 60 test -n "$(column nst0 3)"
until_true 20 test -c "$(column nst0 4)"
vt scsi down
assert_eq "$(column nst0 2)" down
