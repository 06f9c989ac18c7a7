#!/usr/bin/env bash
# Programs that read far into compressed archives, more than the mount has threads: tapes do not wait for them, and
# they can be killed.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires tar gzip dd base64

start_store
F=$MNT/files/default
T=$MNT/tapes/default
cd "$scratch"
head -c 3000000 /dev/urandom | base64 -w 0 >part
for i in {1..20}; do cat part; done >big
tar -cf - big | gzip -1 >big.tar.gz
cp big.tar.gz "$T/FAR"
BIG=$F/FAR/0001.d/big
wait_until 60 test -d "$F/FAR/0001.d" || fail "the archive is not shown"

cpu() {
  awk '{ print $14 + $15 }' "/proc/$daemon/stat"
}

# Each begins anew, and no two of them want what the kernel reads at once.
pids=()
for i in {1..80}; do
  dd if="$BIG" of=/dev/null bs=4k count=1 iflag=skip_bytes skip=$((79000000 - i * 600000)) status=none &
  pids+=($!)
done
sleep 0.5
begin=$(date +%s%N)
dd if=/dev/zero of="$T/NEXT" bs=64k count=64 status=none
dd if="$T/NEXT" of=/dev/null bs=64k status=none
ls "$MNT/files/default/NEXT" >/dev/null
ms=$((($(date +%s%N) - begin) / 1000000))
[ "$(jobs -rp | wc -l)" -ge 40 ] || fail "the reads were done before the tape was: this shows nothing"
[ "$ms" -lt 5000 ] || fail "a tape waited $ms ms for reads of archives"
begin=$(date +%s%N)
kill -9 "${pids[@]}" 2>/dev/null
wait "${pids[@]}" || true
echo "a tape beside 80 far reads: $ms ms; those killed: $((($(date +%s%N) - begin) / 1000000)) ms"
[ $((($(date +%s%N) - begin) / 1000000)) -lt 2000 ] || fail "killed programs lived on"
# and nobody goes on for them
sleep 0.5
was=$(cpu)
sleep 0.5
[ $(($(cpu) - was)) -lt 20 ] || fail "the daemon goes on reading for programs that are gone"
cmp <(tail -c 100000 "$BIG") <(tail -c 100000 big)
stop_store
