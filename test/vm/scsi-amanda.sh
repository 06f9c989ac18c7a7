#!/usr/bin/env bash
# Amanda: amtapetype finds out what the tape holds and where it warns, amdevcheck reads its label, and amdump saves real
# files through the changer (chg-robot), which amfetchdump gives back.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
packages amanda-server amanda-client mtx
in_machine 1500 "$@"

store_up 1
vt volume create --capacity 64M A00001L6+4
units_up drives=ibm-lto6 slots=8
ip link set lo up 2>/dev/null || ifconfig lo up
echo '127.0.0.1 localhost' >/etc/hosts
echo 'amanda 10080/tcp' >>/etc/services
chmod 666 "$tape" "$changer" "$tape_sg"
export PATH=/usr/sbin:/usr/lib/amanda:$PATH
getent passwd backup >/dev/null || skip 'no user backup'
conf=/etc/amanda/vm
mkdir -p $conf/state /var/lib/amanda/gnutar-lists /tmp/amanda /var/log/amanda $scratch/hold
cat >$conf/amanda.conf <<END
org "vm"
mailto ""
dumpuser "backup"
inparallel 1
dumpcycle 1
runspercycle 1
tapecycle 2
runtapes 2
tpchanger "robot"
define changer robot { tpchanger "chg-robot:$changer"; property "tape-device" "0=tape:$tape"; changerfile "$conf/state/changer" }
tapetype VT
define tapetype VT { length 60 mbytes; filemark 0 kbytes; blocksize 256 kbytes }
labelstr "^VM-[0-9]+\$"
autolabel "VM-%%" any
infofile "$conf/state/info"
logdir "$conf/state/log"
indexdir "$conf/state/index"
tapelist "$conf/tapelist"
define dumptype plain { program "GNUTAR"; compress none; index yes; auth "local"; holdingdisk never; allow-split yes; tape-splitsize 8 mbytes; }
END
mkdir -p $conf/state/{log,info,index}
echo "localhost $scratch/files plain" >$conf/disklist
: >$conf/tapelist
mkdir -p $scratch/files
find /usr/lib/x86_64-linux-gnu -maxdepth 1 -type f -size -3000k | sort | awk 'NR % 9 == 2 && n++ < 100' | while read -r f; do cp "$f" $scratch/files/; done
chown -R backup:backup /etc/amanda /var/lib/amanda /tmp/amanda /var/log/amanda
as_backup() { su -s /bin/bash backup -c "PATH=$PATH; $*"; }

step amtapetype
mtx -f "$changer" load 1 0
as_backup "amtapetype -f -b 262144 vm tape:$tape" >$scratch/out 2>&1 || { cat $scratch/out; fail amtapetype; }
cat $scratch/out
mbytes=$(sed -nE 's/.*length ([0-9]+) kbytes.*/\1/p' $scratch/out)
[ "$mbytes" -ge 55000 ] && [ "$mbytes" -le 66000 ] || fail "a tape of 64 MiB has $mbytes kB"
grep -qi 'LEOM.*supported\|leom true' $scratch/out || fail 'early warning was not seen'
mtx -f "$changer" unload 1 0

step 'amdump over the changer'
as_backup amcheck -t vm >$scratch/out 2>&1 || { cat $scratch/out; }
as_backup amdump vm >$scratch/out 2>&1 || { cat $scratch/out $conf/state/log/amdump.1; fail amdump; }
as_backup amreport vm >$scratch/out 2>&1 || :
label=$(awk 'NR == 1 { print $2 }' $conf/tapelist)
[[ $label == VM-* ]] || fail "no label on the tape list: $(cat $conf/tapelist)"
as_backup amdevcheck vm "tape:$tape" >$scratch/out 2>&1 || { cat $scratch/out; fail amdevcheck; }
grep -q "$label" $scratch/out || { cat $scratch/out; fail "amdevcheck does not see $label"; }

step "back from $label"
mkdir $scratch/back
chown backup $scratch/back
(cd $scratch/back && as_backup "cd $scratch/back && yes '' | amfetchdump -a -h -p vm localhost > dump.tar") >$scratch/out 2>&1 || { cat $scratch/out; fail amfetchdump; }
tar -C $scratch/back -xf $scratch/back/dump.tar
for f in $scratch/files/*; do cmp "$f" "$scratch/back/${f##*/}" || fail "$f came back changed"; done
step "$(find $scratch/files -type f | wc -l) files"
