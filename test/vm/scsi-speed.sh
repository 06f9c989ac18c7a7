#!/usr/bin/env bash
# A benchmark: the same tape work through st on a vtape drive and on tgt's tape emulation, both over iSCSI on loopback in one
# machine, as ratios.  Speeds of an emulated processor mean nothing by themselves.   scsi-speed.sh [MIB]
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
packages open-iscsi tgt
in_machine 1500 "$@"

mib=${1:-64}
store_up 1
vt volume create A00001
vt scsi up changer=none fabric=none
vt drive load 0 A00001
core=$(vt scsi status --json | sed -nE 's/.*"core": *"([^"]*)".*/\1/p' | head -n 1)
ip link set lo up 2>/dev/null || ifconfig lo up
modprobe -a iscsi_target_mod iscsi_tcp st sg
(
  cd /sys/kernel/config/target
  i=iscsi/iqn.2026-11.org.example:vtape/tpgt_1
  mkdir -p $i/lun/lun_0 $i/np/127.0.0.1:3261
  ln -s "$PWD/core/$core" $i/lun/lun_0/
  echo 0 >$i/attrib/authentication
  echo 1 >$i/attrib/generate_node_acls
  echo 0 >$i/attrib/demo_mode_write_protect
  echo 1 >$i/enable
)
mkdir -p /run
tgtd -f -p 3262 --iscsi portal=127.0.0.1:3262 >$scratch/tgtd 2>&1 &
until_true 20 tgtadm --lld iscsi --op show --mode sys
tgtimg --op new --device-type tape --barcode T00001 --size 4096 --type data --file $scratch/tgt.img
tgtadm --lld iscsi --op new --mode target --tid 1 -T iqn.2026-11.org.example:tgt
tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b $scratch/tgt.img --device-type=tape --bstype=ssc
tgtadm --lld iscsi --op bind --mode target --tid 1 -I ALL

# login PORT NAME: the node that came, in $node
login() {
  local before
  before=$(ls /sys/class/scsi_tape 2>/dev/null | grep -E '^nst[0-9]+$' || :)
  iscsistart -i iqn.2026-11.org.example:host -t "iqn.2026-11.org.example:$2" -g 1 -a 127.0.0.1 -p "$1" >/dev/null
  until_true 30 sh -c "[ \$(ls /sys/class/scsi_tape | grep -cE '^nst[0-9]+\$') -gt $(grep -c . <<<"$before" || :) ]"
  node=/dev/$(ls /sys/class/scsi_tape | grep -E '^nst[0-9]+$' | grep -vxF "$before" | head -n 1)
  until_true 20 mt-st -f "$node" status
}
login 3261 vtape
ours=$node
login 3262 tgt
theirs=$node
head -c $((mib << 20)) /dev/urandom >$scratch/data

seconds() { local from=${EPOCHREALTIME/./}; "$@" >/dev/null; awk -v us=$((${EPOCHREALTIME/./} - from)) 'BEGIN { print us / 1e6 }'; }
declare -A took
measure() { # WHAT NODE COMMAND...
  mt-st -f "$2" rewind
  took["$1"]+=" $(seconds "${@:3}")"
}
for round in 1 2 3; do
  for who in ours theirs; do
    node=${!who}
    measure "$who write" "$node" dd if=$scratch/data of="$node" bs=256k status=none
    measure "$who read" "$node" dd if="$node" of=/dev/null bs=256k status=none
    measure "$who small" "$node" dd if=$scratch/data of="$node" bs=512 count=1000 status=none
  done
done
median() { tr ' ' '\n' <<<"$1" | grep . | sort -g | sed -n 2p; }
for what in write read small; do
  a=$(median "${took["ours $what"]}") b=$(median "${took["theirs $what"]}")
  awk -v w=$what -v a="$a" -v b="$b" 'BEGIN { printf "%-6s vtape %.2f s, tgt %.2f s: %.2f times as fast\n", w, a, b, b / a }'
done
