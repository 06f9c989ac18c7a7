#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# restore and cat: files from archives on tapes, with all that was said of them, and nothing outside of the folder.
. "$(dirname "$0")/../lib/functions.sh"
requires tar cpio gzip jq python3 setfattr getfattr

start_store
T=$MNT/tapes/default
cd "$scratch"
export TZ=UTC

# What a tree is: everything but the sizes of folders.
tree_of() {
  (cd "$1" && find . ! -type d -printf '%y %m %U %G %n %s %T@ %l %p\0' -o -printf '%y %m %U %G %T@ %p\0' | sort -z | tr '\0' '\n'
    find . -type f -print0 | sort -z | xargs -0 sha256sum
    getfattr -R -h -d -m user . 2>/dev/null || true)
}

# json FILTER of what a restore said.
restore_json() {
  vtape restore --json "$@" >"$scratch/json"
}
json() {
  jq -er "$1" "$scratch/json"
}

mkdir -p src/folder/sub src/empty
head -c 3000000 /dev/urandom >src/random
echo hello >src/hello
ln src/hello src/folder/second-name
ln src/hello src/zz-third
ln -s ../hello src/folder/symlink
ln -s /no/such src/dangling
truncate -s 30M src/holes
echo end >>src/holes
mkfifo src/fifo
long=$(printf 'n%.0s' {1..200})
echo long >"src/folder/$long"
echo unicode >$'src/\xc3\xbcmlaut'
echo bytes >$'src/not\xffutf8'
echo line >$'src/two\nlines'
setfattr -n user.color -v blue src/hello 2>/dev/null || true
chmod 4751 src/hello
chmod 1777 src/empty
if [ "$(id -u)" = 0 ]; then
  mknod src/device c 1 3
  chown 1234:4321 src/random
fi
touch -h -d '2001-02-03 04:05:06.789' src/dangling src/random
touch -d '1999-01-01' src/folder/sub src/folder src/empty src

# Whole archives of all kinds
tar --format=pax --xattrs --xattrs-include='user.*' -S -cf "$T/PAX" src
tar --format=pax --xattrs --xattrs-include='user.*' -S -czf - src | cat >"$T/GZIP"
vtape contents settle >/dev/null
for volume in PAX GZIP; do
  mkdir "out-$volume"
  restore_json -C "out-$volume" $volume
  assert_eq "$(json .failed)" 0
  assert_eq "$(json .refused)" 0
  diff <(tree_of src) <(tree_of "out-$volume/src") || fail "$volume was restored as something else"
done
[ "$(stat -c %b out-PAX/src/holes)" -lt 1000 ] || fail 'the holes are gone'

# Formats with whole seconds
touch -h -d '2003-03-03 03:03:03' $(find src -name 'not*' -prune -o -name 'two*' -prune -o -print) src/not* src/two*
tar --format=gnu -cf "$T/GNU" src
(find src -depth -print0 | cpio -0 -o -H newc 2>/dev/null) >"$T/NEWC"
(find src -print0 | cpio -0 -o -H newc 2>/dev/null | gzip) >"$T/NEWC-GZ"
vtape contents settle >/dev/null
setfattr -x user.color src/hello 2>/dev/null || true
for volume in GNU NEWC NEWC-GZ; do
  mkdir "out-$volume"
  restore_json -C "out-$volume" $volume
  assert_eq "$(json .failed)" 0
  diff <(tree_of src) <(tree_of "out-$volume/src") || fail "$volume was restored as something else"
done

# One name of several: whichever it is, it has the bytes
for volume in PAX GZIP GNU NEWC NEWC-GZ; do
  for name in hello folder/second-name zz-third; do
    rm -rf one && mkdir one
    vtape restore -C one "$volume:1:src/$name"
    cmp "one/src/$name" src/hello
    [ "$volume" = PAX ] || continue
    vtape cat "$volume:1:src/$name" | cmp - src/hello
  done
  rm -rf one && mkdir one
  vtape restore -C one "$volume:1:src/zz-third" "$volume:1:src/folder/second-name"
  assert_eq "$(stat -c %h one/src/zz-third)" 2
  cmp one/src/zz-third src/hello
done

# Bytes: of a member, of a tape file
vtape cat GZIP:1:src/random | cmp - src/random
vtape cat PAX:1:src/holes | cmp - src/holes
vtape cat PAX:0001 | cmp - "$MNT/files/default/PAX/0001"
{
  status=0
  vtape cat PAX:1 2>err || status=$?
  echo $status >status
} | head -c 100 >/dev/null
assert_eq "$(cat status err)" 141	# quietly
assert_fails vtape cat PAX:1:src/folder 2>/dev/null
assert_fails vtape cat PAX:1:src/nowhere 2>/dev/null
assert_fails vtape cat PAX:2 2>/dev/null

# One member of a large archive costs little more than its bytes
mkdir many
head -c 40000000 /dev/urandom | split -b 200000 -a 3 --numeric-suffixes=100 - many/f
tar -cf "$T/MANY" -b 128 many
vtape contents settle MANY >/dev/null
mkdir few
restore_json -C few MANY:1:many/f177
cmp few/many/f177 many/f177
[ "$(json .read_bytes)" -lt 300000 ] || fail "$(json .read_bytes) bytes were read for a file of 200000"
restore_json -C few --find f111 f222
assert_eq "$(json .restored)" 2
[ "$(json .read_bytes)" -lt 600000 ] || fail "$(json .read_bytes) bytes were read for two files of 200000"

# What is there stays, unless it is said otherwise
status=0
echo mine >few/many/f177
vtape restore -C few MANY:1:many/f177 2>err || status=$?
assert_eq "$status" 4
grep -q 'is there already' err
assert_eq "$(cat few/many/f177)" mine
vtape restore -C few --keep-newer MANY:1:many/f177
assert_eq "$(cat few/many/f177)" mine
touch -d 2000-01-01 few/many/f177
vtape restore -C few --keep-newer MANY:1:many/f177
cmp few/many/f177 many/f177
echo mine >few/many/f177
vtape restore -C few --overwrite MANY:1:many/f177
cmp few/many/f177 many/f177

# Several tapes: of one path the newest, or all of them
mkdir home
echo one >home/changes
echo same >home/stays
tar -cf "$T/FULL" home
sleep 0.1
echo two >home/changes
tar -cf "$T/NEXT" home/changes
vtape contents settle >/dev/null
mkdir newest all named strip
vtape restore -C newest --find 'home/**'
assert_eq "$(cat newest/home/changes newest/home/stays)" $'two\nsame'
vtape restore -C all --all-versions --find changes
assert_eq "$(cat all/FULL/0001/home/changes all/NEXT/0001/home/changes)" $'one\ntwo'
vtape restore -C named FULL NEXT
assert_eq "$(cat named/home/changes)" two
vtape restore -C strip --strip 1 FULL
assert_eq "$(cat strip/changes)" one
vtape restore -C strip --dry-run --json --find --newer 1d 'changes' 'stays' 2>/dev/null | jq -r .path | sort >list
assert_eq "$(tr '\n' ' ' <list)" 'home/changes home/stays '
status=0
vtape restore --find nothing-is-called-so 2>/dev/null || status=$?
assert_eq "$status" 3

# An archive that somebody made to harm
python3 - <<'END'
import io, os, tarfile
OUT = os.getcwd()
t = tarfile.open('evil.tar', 'w')
def add(name, kind=tarfile.REGTYPE, link='', data=b''):
    i = tarfile.TarInfo(name)
    i.type, i.linkname, i.size, i.mode = kind, link, len(data), 0o755
    t.addfile(i, io.BytesIO(data))
add('../../up', data=b'up')
add('/abs/olute', data=b'abs')
add('a/../../b', data=b'b')
add('way', tarfile.SYMTYPE, '../outside')
add('way/through', data=b'through')
add('far', tarfile.SYMTYPE, OUT + '/outside')
add('far/evil', data=b'far')
add('hard', tarfile.LNKTYPE, '../outside/secret')
add('hard', data=b'hard')
add('hard2', tarfile.LNKTYPE, 'way/secret')
add('file', data=b'file')
add('file/below', data=b'below')
add('.', tarfile.DIRTYPE)
add('..', tarfile.DIRTYPE)
t.close()
END
cat evil.tar >"$T/EVIL"
mkdir -p jail/inner outside
echo secret >outside/secret
before=$(find . -path ./jail -prune -o -path ./mnt -prune -o -path ./store -prune -o -path ./err -prune -o -printf '%p %T@ %n\n' | sort)
vtape contents settle >/dev/null
vtape restore -C jail/inner EVIL 2>err || true
assert_eq "$(find . -path ./jail -prune -o -path ./mnt -prune -o -path ./store -prune -o -path ./err -prune -o -printf '%p %T@ %n\n' | sort)" "$before"
assert_eq "$(ls jail)" inner
assert_eq "$(cat jail/inner/up jail/inner/abs/olute)" upabs
assert_eq "$(cat jail/inner/file/below)" below

# Damaged on the disk: what lies before it, then zeros; what lies behind is whole
mkdir hurt hurt-out
head -c 3000000 /dev/urandom >hurt/a
echo whole >hurt/b
tar -cf "$T/HURT" hurt/a hurt/b
vtape contents settle >/dev/null
stop_store
pack=$(find "$STORE/packs" -type f -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2)
head -c 1000 /dev/urandom | dd of="$pack" bs=1 seek=$(($(stat -c %s "$pack") - 1500000)) conv=notrunc status=none
start_store
status=0
vtape restore -C hurt-out HURT 2>err || status=$?
assert_eq "$status" 7
grep -q 'hurt/a: damaged: zeros from byte' err || fail "$(cat err)"
cmp hurt/b hurt-out/hurt/b
assert_eq "$(stat -c %s hurt-out/hurt/a)" 3000000
good=$(sed -n 's/.*zeros from byte \([0-9]*\) on.*/\1/p' err)
[ "$good" -gt 500000 ] || fail "only $good bytes are good"
cmp -n "$good" hurt/a hurt-out/hurt/a
status=0
vtape cat HURT:1:hurt/a 2>err >cat || status=$?
assert_eq "$status" 7
cmp -n "$(stat -c %s cat)" hurt/a cat
[ "$(stat -c %s cat)" -gt 500000 ] || fail "cat gave $(stat -c %s cat) bytes"

# Without a daemon it is the same
stop_store
mkdir alone
vtape restore -C alone PAX:1:src/random
cmp alone/src/random src/random
