#!/usr/bin/env bash
# Many tapes: listing and looking up stay quick, and the mount comes up at once.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"

count=${1:-10000}
start_store
vtape volume create "M00001+$count" >/dev/null
ms() { # CMD...: how long it takes
  local began
  began=$(date +%s%N)
  "$@" >/dev/null
  echo $((($(date +%s%N) - began) / 1000000))
}
for door in tapes files images; do
  assert_eq "$(ls "$MNT/$door/default" | wc -l)" "$count"
  took=$(ms ls -f "$MNT/$door/default")
  echo "ls -f $door: $took ms"
  [ "$took" -lt 2000 ] || fail "listing $door takes $took ms"
done
took=$(ms ls -l "$MNT/tapes/default")
echo "ls -l tapes: $took ms"
[ "$took" -lt 10000 ] || fail "ls -l takes $took ms"
stop_store
began=$(date +%s%N)
start_store
took=$((($(date +%s%N) - began) / 1000000))
echo "mount: $took ms"
[ "$took" -lt 5000 ] || fail "mounting takes $took ms"
stop_store
