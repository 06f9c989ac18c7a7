#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# find and ls: what is on the tapes, by name, size, age, owner and place; true after a tape was written over.
. "$(dirname "$0")/../lib/functions.sh"
requires tar jq gzip

start_store
vtape pool create other
T=$MNT/tapes/default
cd "$scratch"
export TZ=UTC

# found WANT [ARGS OF find]: the paths, sorted, with spaces between them.
found() {
  local want=$1
  shift
  assert_eq "$(vtape find --json "$@" | jq -r '.volume + ":" + .path' | LC_ALL=C sort | tr '\n' ' ')" "$want"
}

mkdir -p etc/ssh home/anna
echo root >etc/passwd
echo key >etc/ssh/ssh_config
head -c 5000000 /dev/zero >home/anna/Big.odt
echo x >home/anna/small.odt
ln -s small.odt home/anna/link.odt
ln home/anna/small.odt home/anna/other.odt
echo b >$'home/anna/by\xfftes'
echo n >$'home/anna/new\nline'
touch -d '2020-05-05 05:05:05' etc/passwd
tar --owner=anna:1000 --group=users:100 -cf "$T/A" etc home
tar -czf - etc | cat >>"$T/A"
echo 'this is no archive' | cat >>"$T/A"
tar -cf "$MNT/tapes/other/B" etc/passwd
vtape contents settle >/dev/null

# By name
found 'A:etc/passwd A:etc/passwd B:etc/passwd ' passwd
found 'B:etc/passwd ' passwd -p other
found 'B:etc/passwd ' --volume B passwd
found 'A:etc/passwd A:etc/passwd B:etc/passwd ' --volume 'A,B*' 'etc/passwd'
found 'A:home/anna/small.odt ' 'sm*.odt'
found 'A:home/anna/Big.odt ' -i 'BIG*'
found '' 'big.odt'
found 'A:home/anna/Big.odt ' --regex '^B.g[.]odt$'
found 'A:home/anna/Big.odt A:home/anna/link.odt A:home/anna/other.odt A:home/anna/small.odt ' 'anna/*.odt'
found 'A:etc/ssh/ssh_config A:etc/ssh/ssh_config ' '/etc/ssh/**' --type f
found '' '/ssh/**'
found '' --exact '*.odt'
assert_eq "$(vtape find passwd -n 1 -H | wc -l)" 1
assert_eq "$(vtape find --newest etc/passwd --json | jq -r .volume)" B
assert_fails vtape find --regex '(' 2>/dev/null
assert_fails vtape find --volume NONE x 2>/dev/null
vtape find nothing-is-called-so >out
assert_eq "$(cat out)" ''

# By what else is known of it
found 'A:home/anna/Big.odt ' --size +4M
found 'A:home/anna/Big.odt ' --size 1M..10M '*'
found 'A:etc/passwd A:etc/passwd B:etc/passwd ' --older 2021-01-01
found 'A:home/anna/Big.odt ' --newer 7d --type f --size 5000000
found 'A:home/anna/link.odt ' --type l
found 'A:home/anna/other.odt ' --type h
found 'A:home/anna/small.odt ' --owner anna 'small*'
found 'A:home/anna/small.odt ' --owner 1000 'small*'
found '' --owner root 'small*'

# Names that are bytes
assert_eq "$(vtape find 'by*' --json | jq -r .raw)" "$(printf 'home/anna/by\xfftes' | od -An -tx1 | tr -d ' \n')"
assert_eq "$(vtape find $'by\xfftes' -H | cut -f7)" $'home/anna/by\xfftes'
vtape find 'new*' --json | jq -r .path >out
cmp out <(printf 'home/anna/new\nline\n')
vtape ls $'A:1:home/anna/by\xfftes' >out
cmp out <(printf 'home/anna/by\xfftes\n')

# The tape files of a volume
vtape ls A --json >files
assert_eq "$(jq -r 'map("\(.file) \(.how) \(.compressed)") | join(", ")' files)" '1 archive false, 2 archive true, 3 data false'
assert_eq "$(jq -r '.[0].writer | .door + " " + .program' files)" 'tapes tar'
assert_eq "$(jq -r '.[0].members' files)" "$(tar -tf "$MNT/files/default/A/0001" --quoting-style=escape | wc -l)"
assert_eq "$(jq -r '.[2].magic' files)" "$(printf 'this is no archi' | od -An -tx1 | tr -d ' \n')"
vtape ls A >out
grep -q 'GNU tar' out || fail "vtape ls A: $(cat out)"

# What is in one
assert_eq "$(vtape ls A:1 | tr '\n' ' ')" 'etc/ home/ '
assert_eq "$(vtape ls A:0001:etc | LC_ALL=C sort | tr '\n' ' ')" 'etc/passwd etc/ssh/ '
assert_eq "$(vtape ls -R A:2 | LC_ALL=C sort | tr '\n' ' ')" 'etc/ etc/passwd etc/ssh/ etc/ssh/ssh_config '
assert_eq "$(vtape ls A:1:/etc/./passwd)" etc/passwd
vtape ls -l A:1:home/anna >out
grep -qE '^lrwxrwxrwx anna +users +0 .* home/anna/link.odt -> small.odt$' out || fail "ls -l: $(cat out)"
grep -qE '^-rw-r--r-- anna +users +5000000 ' out || fail "ls -l: $(cat out)"
vtape ls A:1:home/anna --json | jq -e 'map(.path) | index("home/anna/small.odt")' >/dev/null
status=0
vtape ls A:9 2>/dev/null || status=$?
assert_eq "$status" 3
vtape ls A:1:nowhere 2>/dev/null || status=$?
assert_eq "$status" 3
assert_fails vtape ls A:3:x 2>/dev/null

# A name given in files/
mkdir "$MNT/files/default/C"
cp "$MNT/files/default/A/0001" "$MNT/files/default/C/monday.tar"
vtape contents settle C >/dev/null
vtape cat C:monday.tar:etc/ssh/ssh_config | cmp - etc/ssh/ssh_config
assert_eq "$(vtape ls C --json | jq -r '.[0].name')" monday.tar

# Written over: what was there is found no more
echo new >etc/motd
tar -cf "$T/A" etc/motd
vtape contents settle >/dev/null
found '' 'small.odt' --volume A
found 'A:etc/motd ' motd
vtape volume restore-generation A 1 >/dev/null
vtape contents settle >/dev/null
found 'A:home/anna/small.odt ' 'small.odt' --volume A
found '' motd

# Looking again finds the same; also after a restart, and without a daemon
vtape contents forget >/dev/null
found 'A:etc/passwd A:etc/passwd B:etc/passwd C:etc/passwd ' passwd
vtape contents status --json | jq -e '.files == 0 and .members > 10' >/dev/null
stop_store
found 'A:etc/passwd A:etc/passwd B:etc/passwd C:etc/passwd ' passwd
