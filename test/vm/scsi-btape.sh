#!/usr/bin/env bash
# Bacula's btape: test, and with an argument also fill on a small tape with the changer's next one.  scsi-btape.sh [fill]
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
packages bacula-sd
in_machine 1500 "$@"

library_up drives=ibm-lto6
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
mtx -f "$changer" load 1 0

step 'btape test'
printf 'test\ny\nquit\n' | btape -c $scratch/sd.conf "$tape" >$scratch/out 2>&1 || { cat $scratch/out; fail btape; }
cat $scratch/out
for words in 'The above Bacula scratch test is OK' 'Test succeeded! \|=== Test Succeeded' \
  'append files test\|Append files test' 'Forward space test'; do
  grep -qi "$words" $scratch/out || fail "btape did not say: $words"
done
! grep -qiE '\*+ *(error|not ok)|test failed|FAILED' $scratch/out || fail 'btape found something'
