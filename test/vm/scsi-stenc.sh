#!/usr/bin/env bash
# stenc sets a key, so that records are encrypted: without it, or with another one, they cannot be read; what was written
# in clear can.  What lies on the disk has nothing of the text in it.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
requires stenc mt dd cmp mtx
in_machine 400 "$@"

library_up drives=ibm-lto6
mtx -f "$changer" load 1 0
t() { mt -f "$tape" "$@"; }
key() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$1"; echo >>"$1"; }
status() { stenc -f "$tape" --detail 2>&1 | tee $scratch/stenc; }
key $scratch/key
key $scratch/other
head -c 500000 < <(yes 'in clear, and easy to find') >$scratch/clear
head -c 500000 < <(yes 'a secret that is easy to find') >$scratch/secret
read_tape() { dd if="$tape" bs=64k status=none; }

step 'as it comes: off'
status
grep -qi 'Drive Encryption: *off' $scratch/stenc || fail 'status'
dd if=$scratch/clear of="$tape" bs=64k status=none

step 'on: written and read with the key'
stenc -f "$tape" -e on -k $scratch/key -a 1
status
grep -qi 'Drive Encryption: *on' $scratch/stenc || fail 'status with a key'
! grep -qi "$(head -c 16 $scratch/key)" $scratch/stenc || fail 'the key is told'
dd if=$scratch/secret of="$tape" bs=64k status=none
t rewind; t fsf 1
read_tape | cmp - $scratch/secret || fail 'with the key'
t rewind
fails dd if="$tape" bs=64k of=$scratch/out

step 'mixed: both kinds'
stenc -f "$tape" -e mixed -k $scratch/key -a 1
t rewind
read_tape | cmp - $scratch/clear || fail 'in clear'
read_tape | cmp - $scratch/secret || fail 'encrypted'

step 'off: what is encrypted cannot be read'
stenc -f "$tape" -e off
t rewind
read_tape | cmp - $scratch/clear || fail 'in clear, without a key'
fails dd if="$tape" bs=64k of=$scratch/out
[ ! -s $scratch/out ] || fail 'something came out'

step 'another key: neither'
stenc -f "$tape" -e on -k $scratch/other -a 1
t rewind; t fsf 1
fails dd if="$tape" bs=64k of=$scratch/out
[ ! -s $scratch/out ] || fail 'something came out with another key'
stenc -f "$tape" -e on -k $scratch/key -a 1
t rewind; t fsf 1
read_tape | cmp - $scratch/secret || fail 'with the key again'

step 'a key goes with an unload only if it is to'
t offline; t load
t fsf 1
read_tape | cmp - $scratch/secret || fail 'behind an unload'
stenc -f "$tape" -e on -k $scratch/key -a 1 --ckod
t offline; t load
t fsf 1
fails dd if="$tape" bs=64k of=$scratch/out

step 'nothing of it is on the disk'
t offline
mtx -f "$changer" unload 1 0
vt scsi down
umount $scratch/mnt
sleep 1
grep -rqsa 'in clear, and easy' $scratch/store || echo '(compressed: clear text is not found either)'
! grep -rqsa 'a secret that is' $scratch/store || fail 'the secret is on the disk'
