#!/usr/bin/env bash
# Amanda: amdump saves real files through the changer (chg-robot), amdevcheck reads the label, amfetchdump gives the files
# back.  (amtapetype is left out: it writes a gigabyte to find out whether the drive compresses.)
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
requires ip
packages amanda-server amanda-client mtx libencode-locale-perl
in_machine 1500 "$@"

store_up 1
vt volume create --capacity 24M A00001L6+4
units_up drives=ibm-lto6 slots=8
ip link set lo up
ip address add 10.0.0.1/32 dev lo	# with loopback addresses alone getaddrinfo(AI_ADDRCONFIG) knows no localhost
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
tapecycle 4
runtapes 3
tpchanger "robot"
define changer robot {
  tpchanger "chg-robot:$changer"
  property "tape-device" "0=tape:$tape"
  changerfile "$conf/state/changer"
}
# Early warning is what it calls LEOM: a dump goes on with the next tape there.
device-property "LEOM" "true"
tapetype VT
define tapetype VT {
  length 21 mbytes
  filemark 0 kbytes
  blocksize 256 kbytes
  part-size 4 mbytes
}
labelstr "^VM-[0-9]+\$"
autolabel "VM-%%" any
infofile "$conf/state/info"
logdir "$conf/state/log"
indexdir "$conf/state/index"
tapelist "$conf/tapelist"
define dumptype plain {
  program "GNUTAR"
  compress none
  index yes
  auth "local"
  holdingdisk never
  allow-split yes
}
END
mkdir -p $conf/state/{log,info,index}
echo "localhost $scratch/files plain" >$conf/disklist
: >$conf/tapelist
# On overlayfs files and their folder are of two devices: tar --one-file-system would leave them out.
mkdir -p $scratch/files
mount -t tmpfs files $scratch/files
find /usr/lib/x86_64-linux-gnu -maxdepth 1 -type f -size -3000k | sort | awk 'NR % 9 == 2 && n++ < 100' | while read -r f; do cp "$f" $scratch/files/; done
step "$(du -sk $scratch/files | cut -f1) KiB to save"
chown -R backup:backup /etc/amanda /var/lib/amanda /tmp/amanda /var/log/amanda
as_backup() { su -s /bin/bash backup -c "PATH=$PATH; $*"; }

step 'amdump over the changer'
as_backup amcheck -t vm >$scratch/out 2>&1 || { cat $scratch/out; }
as_backup amdump vm >$scratch/out 2>&1 || { tail -n 20 $conf/state/log/amdump.1 /var/log/amanda/server/vm/taper*; fail amdump; }
as_backup amreport vm >$scratch/report 2>&1 || :
label=$(awk 'NR == 1 { print $2 }' $conf/tapelist)
[[ $label == VM-* ]] || fail "no label on the tape list: $(cat $conf/tapelist)"
as_backup amdevcheck vm "tape:$tape" >$scratch/out 2>&1 || { cat $scratch/out; fail amdevcheck; }
assert_eq "$(cat $scratch/out)" SUCCESS 'amdevcheck: a volume with a label of its own'

tapes=$(awk '$1 > 0' $conf/tapelist | wc -l)
[ "$tapes" -ge 2 ] || { cat $scratch/report; fail "one tape was enough: $(cat $conf/tapelist)"; }
step "back from $tapes tapes"
mkdir $scratch/back
chown backup $scratch/back
(cd $scratch/back && as_backup "cd $scratch/back && yes '' | amfetchdump -a -p vm localhost > dump.tar") >$scratch/out 2>&1 || { cat $scratch/out; fail amfetchdump; }
tar -C $scratch/back -xf $scratch/back/dump.tar
for f in $scratch/files/*; do cmp "$f" "$scratch/back/${f##*/}" || fail "$f came back changed"; done
step "$(find $scratch/files -type f | wc -l) files"
