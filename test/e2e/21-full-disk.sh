#!/usr/bin/env bash
# A full disk: the writer gets ENOSPC, the store stays sound and readable, and space comes back.  So does a disk that has
# room for bytes and none for files.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires fusermount3 mount cmp
[ "$(id -u)" = 0 ] || skip "needs root to mount a small disk"

mkdir "$scratch/disk"
mount -t tmpfs -o size=192m tmpfs "$scratch/disk"
cleanup_fn umount -l "$scratch/disk"
STORE=$scratch/disk/store
start_store

head -c 20M /dev/urandom >"$scratch/keep"
dd if="$scratch/keep" of="$MNT/tapes/default/KEEP" bs=64k status=none

# Fill it: dd must be told, not hang, and what it wrote up to there is on the tape.
if dd if=/dev/urandom of="$MNT/tapes/default/BIG" bs=256k count=4000 2>"$scratch/dd.err"; then
  fail "1 GB went onto a disk of 192 MB"
fi
grep -q 'No space left on device' "$scratch/dd.err" || fail "dd was not told: $(cat "$scratch/dd.err")"
on_tape=$(stat -c %s "$MNT/tapes/default/BIG")
[ "$on_tape" -gt $((80 << 20)) ] || fail "only $on_tape bytes fitted"

# Sound and readable, now and after a restart, and full for every other writer.
cmp "$MNT/tapes/default/KEEP" "$scratch/keep"
cat "$MNT/tapes/default/BIG" >/dev/null
if head -c 30M /dev/urandom | dd of="$MNT/tapes/default/MORE" bs=256k iflag=fullblock status=none 2>/dev/null; then
  fail "there was still room"
fi
df --output=avail "$MNT" | tail -n 1
stop_store
start_store
cmp "$MNT/tapes/default/KEEP" "$scratch/keep"
assert_eq "$(stat -c %s "$MNT/tapes/default/BIG")" "$on_tape"

# Space comes back.
before=$(du -sm "$STORE/packs" | cut -f 1)
rm -f "$MNT/tapes/default/BIG" "$MNT/tapes/default/MORE"
vtape gc >/dev/null
after=$(du -sm "$STORE/packs" | cut -f 1)
[ "$after" -lt $((before / 2)) ] || fail "packs took $before MB and still take $after MB"
head -c 60M /dev/urandom >"$scratch/new"
dd if="$scratch/new" of="$MNT/tapes/default/NEW" bs=256k status=none
cmp "$MNT/tapes/default/NEW" "$scratch/new"
cmp "$MNT/tapes/default/KEEP" "$scratch/keep"
stop_store
echo "full at $on_tape bytes; packs $before MB, after deleting $after MB"

# The catalog of archives takes nothing of what is kept back, however much there is to be known: what is full can be
# written to no more, but emptied.  A file that found no more
# room ends there, with its name.
requires python3
python3 - "$scratch/many.tar" <<'END'
import hashlib, sys, tarfile
with tarfile.open(sys.argv[1], "w", format=tarfile.USTAR_FORMAT) as tar:
    for i in range(100000):
        name = hashlib.md5(str(i).encode()).hexdigest()
        tar.addfile(tarfile.TarInfo(f"{i % 997}/{name}{name}"))
END
mkdir "$scratch/many"
mount -t tmpfs -o size=256m tmpfs "$scratch/many"
cleanup_fn umount -l "$scratch/many"
STORE=$scratch/many/store
start_store
vtape pool set default contents=off
dd if="$scratch/many.tar" of="$MNT/tapes/default/MANY" bs=256k status=none
head -c 250M /dev/urandom >"$scratch/noise"
if cp "$scratch/noise" "$MNT/files/default/MANY/noise" 2>/dev/null; then
  fail "250 MB went onto a disk of 256 MB, of which much was used"
fi
got=$(stat -c %s "$MNT/files/default/MANY/noise")
cmp -n "$got" "$MNT/files/default/MANY/noise" "$scratch/noise"
vtape pool set default contents=on
if vtape contents settle MANY 2>"$scratch/err"; then
  fail "what is on the tapes was looked at, on a full disk"
fi
grep -q 'are left on the store' "$scratch/err" || fail "it was not told why: $(cat "$scratch/err")"
left=$(df --output=avail -m "$scratch/many" | tail -n 1)
[ "$left" -ge 20 ] || fail "$left MB are left of what is kept back"
vtape volume create STILL
vtape volume erase MANY -y
vtape volume restore-generation MANY 1 >/dev/null
vtape volume delete MANY -y
vtape gc --live 100 >/dev/null
dd if="$scratch/many.tar" of="$MNT/tapes/default/AGAIN" bs=256k status=none
vtape contents settle >/dev/null
[ "$(vtape ls AGAIN:1 | wc -l)" -gt 900 ] || fail "a disk with room again, and the archive is not known"
stop_store
echo "archives on a full disk: $left MB are left of it"

# Blocks in plenty, and inodes for a dozen packs.
mkdir "$scratch/few"
mount -t tmpfs -o size=900m,nr_inodes=70 tmpfs "$scratch/few"
cleanup_fn umount -l "$scratch/few"
STORE=$scratch/few/store
start_store
told=
for ((n = 0; n < 50; n++)); do
  head -c 16M /dev/urandom >"$scratch/few.$n"
  dd if="$scratch/few.$n" of="$MNT/tapes/default/F$n" bs=64k 2>"$scratch/dd.err" || break
  case $(vtape events) in *"space is low"*) told=${told:-$n} ;; esac
done
grep -q 'No space left on device' "$scratch/dd.err" || fail "no end after $n tapes: $(cat "$scratch/dd.err")"
[ "$(df --output=avail -m "$scratch/few" | tail -n 1)" -gt 200 ] || fail "it was the blocks that ran out, after $n tapes"
[ -n "$told" ] || fail "$n tapes fitted, and nobody was told that space was low"

# Whole tapes, and of the last one every record that was acknowledged.
acknowledged=$(sed -n 's/^\([0-9]*\)+0 records out$/\1/p' "$scratch/dd.err")
few_are_there() {
  local i
  for ((i = 0; i < n; i++)); do
    cmp "$MNT/tapes/default/F$i" "$scratch/few.$i"
  done
  [ -n "$acknowledged" ] || return 0 # there was no room for one tape more
  assert_eq "$(stat -c %s "$MNT/tapes/default/F$n")" $((acknowledged << 16))
  cmp -n $((acknowledged << 16)) "$MNT/tapes/default/F$n" "$scratch/few.$n"
}
few_are_there
stop_store
start_store
few_are_there
vtape check >/dev/null

rm -f "$MNT"/tapes/default/F[1-9]*
vtape gc >/dev/null
dd if="$scratch/few.1" of="$MNT/tapes/default/NEW" bs=64k status=none
cmp "$MNT/tapes/default/NEW" "$scratch/few.1"
cmp "$MNT/tapes/default/F0" "$scratch/few.0"
stop_store
echo "few inodes: told after $told tapes, full after $n and $acknowledged records"
