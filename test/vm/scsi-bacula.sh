#!/usr/bin/env bash
# Bacula: a backup of real files that goes over two tapes by itself with the changer, and its restore, compared.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
packages bacula-director bacula-director-sqlite3 bacula-sd bacula-fd bacula-console sqlite3 mtx
in_machine 1500 "$@"

store_up 1
vt volume create --capacity 24M A00001L6+4
units_up drives=ibm-lto6 slots=8
ip link set lo up 2>/dev/null || ifconfig lo up

cd $scratch
mkdir -p work
hash -r
common='Messages { Name = Standard; append = "'$scratch'/log" = all, !skipped; }'
cat >dir.conf <<END
Director { Name = dir; DIRport = 9101; QueryFile = "/etc/bacula/scripts/query.sql"; WorkingDirectory = $scratch/work
  PidDirectory = $scratch/work; Maximum Concurrent Jobs = 2; Password = x; Messages = Standard; DirAddress = 127.0.0.1; }
Job { Name = Backup; Type = Backup; Level = Full; Client = fd; FileSet = Files; Storage = robot; Pool = Default
  Messages = Standard; Spool Data = no; Accurate = no; Write Bootstrap = "$scratch/work/boot.bsr"; }
Job { Name = Restore; Type = Restore; Client = fd; FileSet = Files; Storage = robot; Pool = Default; Messages = Standard
  Where = $scratch/restored; }
FileSet { Name = Files; Include { Options { signature = MD5; } File = $scratch/files; } }
Client { Name = fd; Address = 127.0.0.1; FDPort = 9102; Catalog = Cat; Password = x; }
Storage { Name = robot; Address = 127.0.0.1; SDPort = 9103; Password = x; Device = robot; Media Type = LTO; Autochanger = yes; }
Catalog { Name = Cat; dbname = bacula; dbuser = root; dbpassword = ""; }
Pool { Name = Default; Pool Type = Backup; Recycle = no; }
$common
END
cat >sd.conf <<END
Storage { Name = sd; SDPort = 9103; WorkingDirectory = $scratch/work; PidDirectory = $scratch/work; SDAddress = 127.0.0.1; }
Director { Name = dir; Password = x; }
Messages { Name = Standard; director = dir = all; }
Autochanger { Name = robot; Device = drive; Changer Device = $changer
  Changer Command = "/etc/bacula/scripts/mtx-changer %c %o %S %a %d"; }
Device { Name = drive; Media Type = LTO; Archive Device = $tape; Device Type = Tape; Autochanger = yes; Drive Index = 0
  AutomaticMount = yes; AlwaysOpen = yes; RemovableMedia = yes; RandomAccess = no; Maximum Block Size = 262144
  Minimum Block Size = 0; }
END
cat >fd.conf <<END
Director { Name = dir; Password = x; }
FileDaemon { Name = fd; FDport = 9102; WorkingDirectory = $scratch/work; PidDirectory = $scratch/work; FDAddress = 127.0.0.1; }
Messages { Name = Standard; director = dir = all, !skipped; }
END
cat >cons.conf <<END
Director { Name = dir; DIRport = 9101; address = 127.0.0.1; Password = x; }
END
sed -e "s|^\(bindir\)=.*|\1=/usr/bin|" -e "s|cd .*|cd $scratch/work|" /usr/share/bacula-director/make_sqlite3_tables >tables
sed -n '/<<END-OF-DATA/,/^END-OF-DATA/p' /usr/share/bacula-director/make_sqlite3_tables | sed '1d;$d' | sqlite3 work/bacula.db
export LD_LIBRARY_PATH=/usr/lib/bacula
cp -L /usr/lib/bacula/libbaccats-sqlite3.so /usr/lib/bacula/libbaccats.so 2>/dev/null || true

step 'real files, more than one tape has room for'
mkdir files
find /usr/bin /usr/lib/x86_64-linux-gnu -maxdepth 1 -type f -size -3000k | sort | awk 'NR % 3 == 0 && n++ < 300' |
  while read -r f; do cp "$f" files/; done
while [ "$(du -sm files | cut -f 1)" -gt 40 ]; do rm "files/$(ls -S files | sed -n 1p)"; done
[ "$(du -sm files | cut -f 1)" -ge 26 ] || fail "only $(du -sm files) of files"

bacula-sd -c $scratch/sd.conf
bacula-fd -c $scratch/fd.conf
bacula-dir -c $scratch/dir.conf
console() { printf '%s\n' "$@" quit | bconsole -c $scratch/cons.conf; }
until_true 60 sh -c "printf 'version\nquit\n' | bconsole -c $scratch/cons.conf | grep -q Version"

step 'labels by barcode'
console 'label barcodes slots=1-4 storage=robot drive=0 pool=Default' yes >out 2>&1
grep -c 'successfully created' out | grep -qx 4 || { cat out log; fail 'four labels'; }

step 'backup'
console 'run job=Backup yes' wait messages >out 2>&1
until_true 30 grep -q 'Backup OK\|Backup Error\|Backup Canceled' log
grep -q 'Backup OK' log || { tail -n 60 log; fail 'the backup'; }
grep -q 'End of medium on Volume\|End of Volume' log || { tail -n 60 log; fail 'it did not come to the end of a tape'; }
volumes=$(sed -nE 's/.*Volume name\(s\): *(.*)/\1/p' log | tail -n 1)
[[ $volumes == *'|'* ]] || fail "one tape only: $volumes"

step "restore from $volumes"
console 'restore client=fd storage=robot pool=Default select current all done yes' wait messages >out 2>&1
until_true 60 grep -q 'Restore OK\|Restore Error\|Restore Canceled' log
grep -q 'Restore OK' log || { tail -n 60 log; cat out; fail 'the restore'; }
diff -r files restored/$scratch/files || fail 'what came back is not what was saved'
step "$(find files -type f | wc -l) files, $(du -sm files | cut -f 1) MB over $volumes"
