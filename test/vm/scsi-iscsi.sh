#!/usr/bin/env bash
# A drive exported by the kernel's iSCSI target as vtape-scsi(8) says, and used over loopback: records to 8 MiB, mt, tar.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
packages open-iscsi
in_machine 600 "$@"

store_up 1
vt volume create A00001L6
vt scsi up drives=ibm-lto6 changer=none fabric=none
core=$(vt scsi status --json | sed -nE 's/.*"core": *"([^"]*)".*/\1/p' | head -n 1)
[ -n "$core" ] || fail 'no backstore in the status'
vt drive load 0 A00001L6
ip link set lo up 2>/dev/null || ifconfig lo up
modprobe -a iscsi_target_mod iscsi_tcp st sg
iqn=iqn.2026-11.org.example:nst0
(
  cd /sys/kernel/config/target
  i=iscsi/$iqn/tpgt_1
  mkdir -p $i/lun/lun_0 $i/np/127.0.0.1:3260
  ln -s "$PWD/core/$core" $i/lun/lun_0/
  echo 0 >$i/attrib/authentication
  echo 1 >$i/attrib/generate_node_acls
  echo 0 >$i/attrib/demo_mode_write_protect
  echo 1 >$i/enable
)
iscsistart -i iqn.2026-11.org.example:host -t $iqn -g 1 -a 127.0.0.1 -p 3260
until_true 30 test -c /dev/nst0
until_true 30 mt-st -f /dev/nst0 status

step 'records of 1 byte to 8 MiB'
head -c 8388608 /dev/urandom >$scratch/data
for n in 1 4095 65536 1000001 1048577 4194304 8388608; do
  mt-st -f /dev/nst0 rewind
  dd if=$scratch/data of=/dev/nst0 bs=$n count=1 status=none
  mt-st -f /dev/nst0 rewind
  dd if=/dev/nst0 of=$scratch/back bs=8388608 count=1 status=none
  cmp -n $n $scratch/data $scratch/back
  assert_eq "$(stat -c %s $scratch/back)" $n 'length of the record'
done
mt-st -f /dev/nst0 rewind
fails dd if=/dev/zero of=/dev/nst0 bs=8388609 count=1

step 'tar in blocks of 4 MiB'
tar -C /usr -b 8192 -cf /dev/nst0 include
mt-st -f /dev/nst0 rewind
tar -C /usr -b 8192 -df /dev/nst0

step 'what is exported stays; then it goes'
fails vt scsi down
grep -q 'still exports it' $scratch/said || fail "$(cat $scratch/said)"
mt-st -f /dev/nst0 rewind || fail 'it is not served any more'
(
  cd /sys/kernel/config/target/iscsi/$iqn
  echo 0 >tpgt_1/enable
  rm tpgt_1/lun/lun_0/*nst0
  rmdir tpgt_1/lun/lun_0 tpgt_1/np/* tpgt_1
  rmdir ../$iqn
)
vt scsi down
[ ! -e "/sys/kernel/config/target/core/$core" ] || fail 'the backstore is still there'
