#!/usr/bin/env bash
# The ring, the kernel's objects and the nodes that come of them, without the daemon: scsi-smoke.sh TCMU_SERVE.
# mt, tar and dd over a tape that mtx has loaded; the server is killed while dd writes, and while it reads, and another
# one goes on; then all of it is taken away again.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
requires mt tar dd cmp mtx sg_inq sg_turs
in_machine 900 "$@"
serve=${1:?}
tape=/dev/nst0
"$VTAPE" init $scratch/store >/dev/null
modprobe -a target_core_user tcm_loop st sg ch

begin() {
  : >$scratch/nodes
  "$serve" $scratch/store >$scratch/nodes 2>$scratch/server.log &
  server=$!
  for ((tries = 0; tries < 600; tries++)); do
    ! grep -q ready $scratch/nodes || return 0
    kill -0 $server 2>/dev/null || break
    sleep 0.2
  done
  cat $scratch/server.log
  fail "the server did not come up ($tries)"
}
at() { mt -f $tape tell | sed -nE 's/^At block ([0-9]+)\..*/\1/p'; }

step 'up'
began=$EPOCHREALTIME
begin
step "up after $(awk "BEGIN { print $EPOCHREALTIME - $began }") s"
cat $scratch/nodes
read -r _ st sg < <(grep ^tape $scratch/nodes)
read -r _ sch csg < <(grep ^changer $scratch/nodes)
assert_eq "$st" st0 'the tape'
assert_eq "$sch" sch0 'the changer'
until_true 10 test -c $tape
sg_inq "/dev/$sg" | grep -q 'Product identification' || fail sg_inq
for page in 0x00 0x80 0x83; do sg_inq -p $page "/dev/$csg" >/dev/null || fail "sg_inq -p $page"; done
mtx -f "/dev/$csg" status
mtx -f "/dev/$csg" load 1 0
mt -f $tape rewind
mt -f $tape status | grep -q BOT || fail 'at the beginning'

step 'tar'
mkdir -p $scratch/tree
head -c 3000000 /dev/urandom >$scratch/tree/noise
seq 100000 >$scratch/tree/numbers
for b in 20 2048; do
  mt -f $tape rewind
  tar -b $b -cf $tape -C $scratch tree
  mt -f $tape rewind
  tar -b $b -df $tape -C $scratch || fail "tar -d -b $b"
done

step 'killed while dd writes'
head -c 48000000 /dev/urandom >$scratch/data
mt -f $tape rewind
dd if=$scratch/data of=$tape bs=65536 status=none &
dd=$!
for _ in 1 2 3; do
  sleep 0.4
  kill -9 $server
  wait $server 2>/dev/null || true
  kill -0 $dd || step '(dd had ended before)'
  sleep 0.3
  begin
done
wait $dd || fail "dd ended with $?"
assert_eq "$(at)" 734 'records and a mark'
mt -f $tape rewind
dd if=$tape bs=65536 status=none | cmp - $scratch/data || fail 'what was written is not what is read'

step 'killed while dd reads'
mt -f $tape rewind
dd if=$tape bs=65536 of=$scratch/back status=none &
dd=$!
for _ in 1 2 3; do
  sleep 0.2
  kill -9 $server
  wait $server 2>/dev/null || true
  kill -0 $dd || step '(dd had ended before)'
  begin
done
wait $dd || fail "dd ended with $?"
cmp $scratch/back $scratch/data || fail 'what was read is not what was written'

step 'killed with nothing to do: nobody sees it'
mt -f $tape rewind
mt -f $tape fsr 3
kill -9 $server
wait $server 2>/dev/null || true
begin
assert_eq "$(at)" 3 'position'
mt -f $tape status | grep -q 'File number=0, block number=3' || fail "st's position"

step 'down'
mt -f $tape offline || step '(offline is refused)'
kill $server
wait $server || { cat $scratch/server.log; fail 'it did not end well'; }
! ls -d /sys/kernel/config/target/core/user_0 2>/dev/null || fail 'the backstores are still there'
! ls -d /sys/kernel/config/target/loopback/naa.* 2>/dev/null || fail 'the targets are still there'
[ ! -e /dev/shm/tape0 ] || fail 'the memory is still there'
! dmesg | grep -E 'ring is broken|BUG:|Oops:|general protection' || fail 'the kernel has something to say'

step 'and once more'
begin
read -r _ _ sg < <(grep ^tape $scratch/nodes)
sg_inq "/dev/$sg" >/dev/null || fail 'sg_inq'

kill $server
wait $server || { cat $scratch/server.log; fail 'it did not end well the second time'; }
