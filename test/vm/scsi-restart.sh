#!/usr/bin/env bash
# The daemon is killed while a program writes to /dev/nst0, again and again, and each time the store is mounted again: the
# program notices nothing, and every byte is there once.  A program is killed while it writes, a drive is reset, a tape is
# asked for while it is busy; at the end nothing of it is left in the kernel.   scsi-restart.sh [KILLS]
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
packages mtx sg3-utils
in_machine 1200 "$@"

kills=${1:-5}
library_up drives=ibm-lto6
mtx -f "$changer" load 1 0
daemon() { vt status --json | sed -nE 's/.*"pid": *([0-9]+).*/\1/p'; }
# Killed, and gone.
kill_daemon() {
  local pid
  pid=$(daemon)
  kill -9 "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}
at() { mt-st -f "$tape" tell | sed -nE 's/^At block ([0-9]+)\..*/\1/p'; }
again() {
  "$VTAPE" mount --drives 2 $scratch/store $scratch/mnt 2>$scratch/said || { cat $scratch/said; fail 'it cannot be mounted again'; }
}

vt status | grep -E '^scsi +3 units up$' >/dev/null || fail 'the status says nothing of the units'

step 'tar'
mkdir -p $scratch/tree
head -c 3000000 /dev/urandom >$scratch/tree/noise
seq 100000 >$scratch/tree/numbers
for b in 20 2048; do
  mt-st -f "$tape" rewind
  tar -b $b -cf "$tape" -C $scratch tree
  mt-st -f "$tape" rewind
  tar -b $b -df "$tape" -C $scratch || fail "tar -d -b $b"
done
mt-st -f "$tape" rewind

step "$kills kills while dd writes"
head -c $((64 << 20)) /dev/urandom >$scratch/data
dd if=$scratch/data of="$tape" bs=64k status=none &
writer=$!
for ((i = 0; i < kills; i++)); do
  sleep 0.$((RANDOM % 9 + 1))
  kill -0 $writer 2>/dev/null || break
  kill_daemon
  sleep 0.5
  again
done
wait $writer || fail "dd ended with $? after $i kills"
[ "$i" -ge 2 ] || fail "only $i kills before dd was done"
assert_eq "$(at)" 1025 'records and a mark'
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
kill_daemon
again
wait $reader || fail "dd ended with $?"
cmp $scratch/data $scratch/back || fail 'not what was written'

step 'a kill with nothing to do: nobody sees it'
mt-st -f "$tape" rewind
mt-st -f "$tape" fsr 3
kill_daemon
again
assert_eq "$(at)" 3 'position'
mt-st -f "$tape" status | grep 'File number=0, block number=3' >/dev/null || fail "st's position"

step 'a kill between a move and its answer, or before, or behind: the tape is in one place'
for ((i = 0; i < 3; i++)); do
  mtx -f "$changer" load 2 1 >/dev/null 2>&1 &
  mover=$!
  sleep 0.0$((RANDOM % 9))
  kill_daemon
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
fails sg_turs "$tape_sg"
grep -q 'reset' $scratch/said || { cat $scratch/said; fail 'a reset is not told'; }
sg_turs "$tape_sg" || fail 'a reset is told twice'
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

step 'a tape that waits for the changer'
mtx -f "$changer" load 1 0
mt-st -f "$tape" offline
vt status | grep -E '^nst0 +A00001L6, unloaded' >/dev/null || fail 'the status does not say that it waits'
mtx -f "$changer" unload 1 0

step 'a changer whose ports are locked'
vt changer move A00003L6 port0
sg_prevent --prevent 1 "$changer"
fails vt changer export A00003L6
grep -q 'locked by a host' $scratch/said || { cat $scratch/said; fail 'it does not say why'; }
kill_daemon
again
fails vt changer export A00003L6
sg_prevent --allow "$changer"
vt changer export A00003L6

step 'units go with the mount and come with it'
"$VTAPE" umount $scratch/mnt
! ls -d /sys/kernel/config/target/core/user_*/vtape-* 2>/dev/null || fail 'a backstore is still there'
! ls -d /sys/kernel/config/target/loopback/naa.* 2>/dev/null || fail 'a target is still there'
! ls /dev/shm/vtape-* 2>/dev/null || fail 'what outlives a kill outlives the mount'
! dmesg | grep -iE 'ring is broken|BUG:|\<Oops|general protection' || fail 'the kernel has something to say'
again
until_true 60 test -n "$(column nst0 3)"
until_true 20 test -c "$(column nst0 4)"
vt scsi down
assert_eq "$(column nst0 2)" down
