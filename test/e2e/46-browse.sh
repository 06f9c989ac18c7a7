#!/usr/bin/env bash
# files/POOL/VOLUME/0001.d: the members of an archive as a tree, for find, grep -r, cp -a, diff -r and whatever seeks.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires tar gzip find grep diff cmp setfattr

start_store
F=$MNT/files/default
T=$MNT/tapes/default
cd "$scratch"
mkdir -p src/deep/er
head -c 3000000 /dev/urandom >src/random
seq 200000 >src/deep/numbers
echo needle >src/deep/er/small
: >src/empty
ln -s deep/numbers src/link
ln src/random src/same
mkfifo src/pipe
chmod 4711 src/deep/er/small
chmod 2775 src/deep
touch -d '2001-02-03 04:05:06' src/deep/er/small src/deep src/random
touch -h -d '2002-02-03 04:05:06' src/link

shown() {
  wait_until 20 test -d "$1" || fail "$1 is not shown"
}

# Name, type, mode, owner, size, time, target of everything; not the size of folders.
told() {
  (
    cd "$1"
    find . -mindepth 1 -type d -printf '%p %y %m %U %G %Ts\n' -o -mindepth 1 -printf '%p %y %m %U %G %s %Ts %l\n' |
      LC_ALL=C sort
  )
}

tar -cf "$T/PLAIN" -b 128 --format=gnu -C src .
tar -czf "$T/PACKED" -b 128 --format=gnu -C src .
echo "no archive" >"$T/TEXT"
for v in PLAIN PACKED; do
  D=$F/$v/0001.d
  shown "$D"
  assert_eq "$(ls "$F/$v" | tr '\n' ' ')" "0001 0001.d "
  diff <(told src) <(told "$D")
  assert_eq "$(readlink "$D/link")" deep/numbers
  assert_eq "$(grep -rl --devices=skip needle "$D")" "$D/deep/er/small"
  assert_eq "$(stat -c %i "$D/same")" "$(stat -c %i "$D/random")"
  cp -a "$D" "copy-$v"
  rm "copy-$v/pipe"
  diff -r --exclude=pipe src "copy-$v"
  for off in 2900000 0 1 65535 1500000 65536; do
    cmp <(dd if="$D/random" bs=5000 count=1 iflag=skip_bytes skip=$off status=none) \
      <(dd if=src/random bs=5000 count=1 iflag=skip_bytes skip=$off status=none)
  done
  assert_eq "$(tail -n 1 "$D/link")" 200000
done
sleep 1
assert_eq "$(ls "$F/TEXT")" 0001
assert_fails ls "$F/TEXT/0001.d" 2>/dev/null

# Nothing there can be changed, whoever tries
D=$F/PLAIN/0001.d
refused() {
  local words
  words=$(LC_ALL=C "$@" 2>&1) && fail "line ${BASH_LINENO[0]}: succeeded: $*"
  [[ $words == *"Read-only file system"* ]] || fail "line ${BASH_LINENO[0]}: $words"
}
refused touch "$D/new"
refused mkdir "$D/deep/new"
refused rm -f "$D/empty"
refused rmdir "$D/deep/er"
refused mv "$D/empty" "$D/other"
refused ln -s x "$D/new"
refused chmod 600 "$D/empty"
refused chmod 700 "$D"
refused truncate -s 0 "$D/random"
refused dd if=/dev/null of="$D/empty" conv=notrunc
refused rm -rf "$D"
refused setfattr -n user.vtape.protect -v on "$D/empty"
diff <(told src) <(told "$D")
# and no mode of an archive's making makes anybody root
grep -qE " $MNT fuse[^ ]* [^ ]*nosuid,nodev" /proc/self/mounts

# A file's name gives its folder's
tar -cf - -C src deep | cat >"$F/PLAIN/deep.tar"
shown "$F/PLAIN/deep.tar.d"
assert_eq "$(ls "$F/PLAIN" | tr '\n' ' ')" "0001 0001.d deep.tar deep.tar.d "
cmp src/deep/numbers "$F/PLAIN/deep.tar.d/deep/numbers"
cmp src/deep/numbers "$F/PLAIN/0002.d/deep/numbers"

# Whoever has a member open is in nobody's way, and is told when the tape was written over; what he has read he may
# read again, for the kernel has kept it.
tar -cf "$T/OVER" -b 128 -C src random
shown "$F/OVER/0001.d"
exec 7<"$F/OVER/0001.d/random"
dd bs=4096 count=1 status=none <&7 | cmp -n 4096 - src/random
tar -cf "$T/OVER" -b 128 -C src deep/er
words=$(LC_ALL=C dd of=/dev/null bs=64k skip=20 <&7 2>&1) && fail "read from a tape that was written over"
[[ $words == *"Stale file handle"* ]] || fail "$words"
exec 7<&-
wait_until 20 test -d "$F/OVER/0001.d/deep" || fail "what was written over the tape is not shown"
assert_eq "$(find "$F/OVER/0001.d" -type f)" "$F/OVER/0001.d/deep/er/small"

# Left out of listings, still there
stop_store
MOUNT_OPTIONS=noarchives
start_store
assert_eq "$(ls "$F/PLAIN" | tr '\n' ' ')" "0001 deep.tar "
assert_eq "$(cat "$D/deep/er/small")" needle
stop_store

# A large folder: seconds
python3 - "$scratch/many.tar" <<'P' 2>/dev/null || skip "needs python3 for the rest"
import io, sys, tarfile
with tarfile.open(sys.argv[1], "w", format=tarfile.GNU_FORMAT) as t:
    for i in range(100000):
        m = tarfile.TarInfo("dir/file-%06d" % i)
        m.mtime = i
        t.addfile(m, io.BytesIO())
P
start_store
cp many.tar "$T/MANY"
wait_until 60 test -d "$F/MANY/0001.d"
begin=$SECONDS
assert_eq "$(find "$F/MANY/0001.d" -newermt 1970-01-02 ! -newermt 1970-01-02T01:00:00 -type f | wc -l)" 3600
[ $((SECONDS - begin)) -le 10 ] || fail "find among 100000 members took $((SECONDS - begin)) s"
echo "find among 100000 members: $((SECONDS - begin)) s"
stop_store
