#!/usr/bin/env bash
# sg3_utils, sdparm, lsscsi, tapeinfo on drives and the changer: all vital product data, mode pages, log pages, operation
# codes with timeouts, the cartridge's memory, reservations, buffers, diagnostics, resets.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
requires sg_inq sg_vpd sg_logs sg_opcodes sg_read_attr sg_persist sg_turs sg_raw lsscsi tapeinfo sdparm mtx mt
in_machine 600 "$@"

library_up drives=ibm-lto6 changer=ibm-3584
mtx -f "$changer" load 1 0
until_true 20 mt -f "$tape" rewind
# says WORDS COMMAND...: succeeds and says them.
says() {
  local words=$1
  shift
  "$@" >$scratch/said 2>&1 || { cat $scratch/said; fail "$*"; }
  grep -qE -- "$words" $scratch/said || { cat $scratch/said; fail "$* does not say '$words'"; }
}
good() { "$@" >$scratch/said 2>&1 || { cat $scratch/said; fail "$*"; }; }

step 'who they are'
lsscsi -g | tee $scratch/said
grep -q 'tape *IBM *ULT3580-TD6' $scratch/said || fail 'lsscsi: drive'
grep -q 'mediumx *IBM *03584L32' $scratch/said || fail 'lsscsi: changer'
says 'Product identification: ULT3580-TD6' sg_inq "$tape_sg"
says 'Peripheral device type: medium changer' sg_inq "$changer"
serial=$(sg_vpd -q -p sn "$tape_sg" | sed -n 's/.*serial number: *//p' | tr -d ' ')
[ -n "$serial" ] || fail 'serial number'
[ "$serial" != "$(sg_vpd -q -p sn "$tape1_sg" | sed -n 's/.*serial number: *//p' | tr -d ' ')" ] || fail 'two of one number'
for unit in "$tape_sg" "$tape1_sg" "$changer"; do
  sg_vpd -q -p sv -H "$unit" >/dev/null
  pages=$(sg_raw -r 255 "$unit" 12 01 00 00 ff 00 -b 2>/dev/null | od -An -v -tu1 -w1 | tail -n +5 | tr -d ' ')
  [ -n "$pages" ] || fail "no pages of $unit"
  for page in $pages; do good sg_vpd -p "$page" "$unit"; done
  says 'NAA 3|NAA 5|NAA 6|0x3|0x5|0x6' sg_vpd -p di "$unit"
  fails sg_vpd -p 0x7f "$unit"
done
says 'WORM' sg_vpd -p 0xb0 "$tape_sg"

step 'ready, sense, luns'
good sg_turs -n 20 "$tape_sg"
good sg_turs -n 20 "$changer"
fails sg_turs "$tape1_sg"
good sg_requests "$tape_sg"
good sg_requests -d "$changer"
good sg_luns "$tape_sg"
says 'Maximum block size|maximum block' sg_read_block_limits "$tape_sg"
grep -qE '1048576' $scratch/said || { cat $scratch/said; fail 'READ BLOCK LIMITS over loopback'; }

step 'operation codes'
good sg_opcodes "$tape_sg"
for name in 'Read\(6\)' 'Write\(6\)' 'Write filemarks\(6\)' 'Space\(6\)' 'Locate\(10\)' 'Locate\(16\)' 'Read position' \
  'Format medium' 'Log sense' 'Mode sense\(6\)' 'Security protocol in' 'Read attribute' 'Report supported operation codes'; do
  grep -qiE "$name" $scratch/said || { cat $scratch/said; fail "sg_opcodes has no $name"; }
done
good sg_opcodes --rctd "$tape_sg"
good sg_opcodes -o 0x08 "$tape_sg"
good sg_opcodes "$changer"
for name in 'Move medium' 'Exchange medium' 'Read element status' 'Position to element' 'Initialize element status'; do
  grep -qiE "$name" $scratch/said || { cat $scratch/said; fail "sg_opcodes of the changer has no $name"; }
done

step 'mode pages'
for unit in "$tape_sg" "$changer"; do
  good sg_modes -a "$unit"
  good sg_modes -6 -a "$unit"
  # It exits with 5 behind a page that it asks for and is refused.
  sdparm --all "$unit" >$scratch/said 2>&1 || true
done
grep -q 'DTEST *1' $scratch/said || { cat $scratch/said; fail 'sdparm: from drives to slots'; }
for page in 0x01 0x02 0x0a 0x0f 0x10 0x11 0x1c 0x3f; do good sg_modes -p $page "$tape_sg"; done
for page in 0x1d 0x1e 0x1f 0x3f; do good sg_modes -p $page "$changer"; done
good sg_modes -p 0x0a,0xf0 "$tape_sg"
good sg_modes -p 0x10,0x01 "$tape_sg"

step 'log pages'
mt -f "$tape" rewind
head -c 2000000 /dev/urandom >$scratch/noise
dd if=$scratch/noise of="$tape" bs=64k status=none
good sg_logs -a "$tape_sg"
for page in 0x00 0x02 0x03 0x0c 0x11 0x17 0x2e 0x31; do good sg_logs -p $page "$tape_sg"; done
good sg_logs -a "$changer"
says '2e 00 01 40' sg_logs -p 0x2e -H "$changer"
fails sg_logs -p 0x3e "$changer"

step "the cartridge's memory"
good sg_read_attr "$tape_sg"
says 'Medium manufacturer|Medium serial number' sg_read_attr "$tape_sg"
cat $scratch/said
good sg_read_attr -s 0x05 "$tape_sg"

step 'reservations: the kernel has them'
good sg_persist -n -i -k "$tape_sg"
good sg_persist -n -o -G -S 0xabc "$tape_sg"
says '0xabc' sg_persist -n -i -k "$tape_sg"
good sg_persist -n -o -R -K 0xabc -T 3 "$tape_sg"
says 'Exclusive Access' sg_persist -n -i -r "$tape_sg"
good sg_persist -n -i -s "$tape_sg"
good sg_persist -n -o -L -K 0xabc -T 3 "$tape_sg"
good sg_persist -n -o -G -K 0xabc -S 0 "$tape_sg"
good sg_persist -n -i -c "$tape_sg"

step 'prevent, load, unload, times, buffers, diagnostics'
good sg_prevent "$tape_sg"
fails mt -f "$tape" offline
good sg_prevent -a "$tape_sg"
good sg_timestamp "$tape_sg"
good sg_timestamp -S -m 1700000000000 "$tape_sg"
says '1700000|2023' sg_timestamp "$tape_sg"
good sg_senddiag -t "$tape_sg"
good sg_senddiag -t "$changer"
good sg_read_buffer -m desc "$tape_sg"
good sg_start --stop "$tape_sg"
until_true 20 mt -f "$tape" load
good sg_reset -d "$tape_sg"
until_true 20 mt -f "$tape" rewind

step 'garbage is refused'
fails sg_raw "$tape_sg" ff 00 00 00 00 00
grep -qi 'Invalid command operation code' $scratch/said || fail 'an unknown code'
fails sg_raw "$tape_sg" 08 05 00 00 00 00
fails sg_raw "$changer" a5 00 00 00 ff ff ff ff 00 00 00 00
grep -qi 'Invalid element address' $scratch/said || fail 'an unknown address'
fails sg_raw "$changer" b4 00 00 00 00 ff 00 00 10 00 00 00 -r 4096

step 'drives are found by what the changer says of them'
sg_raw -r 4096 -b -o $scratch/elements "$changer" b8 14 00 00 ff ff 01 00 10 00 00 00 2>/dev/null
grep -qa "IBM     ULT3580-TD6     $serial" $scratch/elements || { od -c $scratch/elements; fail 'DVCID'; }

step 'tapeinfo, loaderinfo'
says "Product ID: *'ULT3580-TD6" tapeinfo -f "$tape_sg"
grep -q 'Ready: yes' $scratch/said || fail ready
grep -qE 'MaxBlock: *1048576' $scratch/said || { cat $scratch/said; fail 'largest block'; }
grep -q "SerialNumber: *'$serial" $scratch/said || { cat $scratch/said; fail 'serial number'; }
cat $scratch/said
good loaderinfo -f "$changer"
