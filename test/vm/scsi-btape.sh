#!/usr/bin/env bash
# Bacula's btape: fill, over two small tapes with the changer, until early warning and back to read the last blocks; then
# test, with the changer too.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
packages bacula-sd
VM_MEMORY=2560
in_machine 1500 "$@"

store_up 1
vt volume create --capacity 384M A00001L6+2	# btape reads the first 10,000 of its records back: 320 MiB
vt volume create B00001L6
units_up drives=ibm-lto6
cat >$scratch/sd.conf <<END
Storage { Name = sd; WorkingDirectory = $scratch; PidDirectory = $scratch; }
Director { Name = dir; Password = x; }
Messages { Name = Standard; director = dir = all; }
Autochanger { Name = robot; Device = drive; Changer Device = $changer
  Changer Command = "/etc/bacula/scripts/mtx-changer %c %o %S %a %d"; }
Device { Name = drive; Media Type = LTO; Archive Device = $tape; Changer Device = $changer; Device Type = Tape
  Autochanger = yes; Drive Index = 0; AutomaticMount = yes; AlwaysOpen = yes; RemovableMedia = yes; RandomAccess = no
  Changer Command = "/etc/bacula/scripts/mtx-changer %c %o %S %a %d"; }
END
chmod +x /etc/bacula/scripts/mtx-changer 2>/dev/null || true

# btape_with LINES...: gives it these lines; what it says is in $scratch/out, whole.
btape_with() {
  printf '%s\n' "$@" quit | btape -c $scratch/sd.conf "$tape" >$scratch/out 2>&1 || { cat $scratch/out; fail btape; }
}
said() {
  local words
  for words; do grep -qi -- "$words" $scratch/out || { cat $scratch/out; fail "btape did not say: $words"; }; done
  if grep -iE '\*\*\* *error|not ok|test failed|FAILED|incorrect' $scratch/out; then cat $scratch/out; fail 'btape found something'; fi
}

step 'btape fill, two tapes'
mtx -f "$changer" load 1 0
btape_with fill m
said 'The last block of the first tape matches' 'The first block on the second tape matches' 'The last block on the second tape matches'
grep -iE 'matches|end of (medium|tape)|Wrote' $scratch/out | tail -n 12
vt events -H | grep -q 'end-of-medium\|early' || vt events -H | tail -n 5

step 'btape test'
mtx -f "$changer" status
mtx -f "$changer" unload 2 0 || mtx -f "$changer" unload 1 0 || :
mtx -f "$changer" transfer 1 20
mtx -f "$changer" transfer 3 1
mtx -f "$changer" load 1 0
btape_with test y
said 'Test Succeeded. End Write, rewind, and re-read test' 'Total files=4, blocks=7, bytes = 451,136' \
  'Block re-read correct. Test succeeded' 'We should be in file 5. I am at file 5. This is correct' \
  'The test autochanger worked'
assert_eq "$(grep -c 'This is correct' $scratch/out)" 6 'positions'
