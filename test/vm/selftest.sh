#!/usr/bin/env bash
# The test machine keeps its promises: arguments, output and exit code come through, what it may not write it does not,
# and what it wrote into the folder for results outlives a kill.
# SPDX-License-Identifier: BSD-2-Clause
set -euo pipefail
run=$(cd "$(dirname "$0")" && pwd)/run
scratch=$(mktemp -d "${TMPDIR:-/tmp}/vtape-vm-test.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

code=0
VTAPE_VM=/proc/nothing "$run" true 2>/dev/null || code=$?
[ "$code" = 77 ] || fail "no folder for the kernel gives $code, not 77"

cat >"$scratch/program" <<'END'
#!/bin/bash
echo "$#:$1:$2:$VTAPE:$(id -u)"
echo changed >"$3/kept"
rm "$3/kept"
touch "$3/new" /new
modprobe -a target_core_user tcm_loop iscsi_target_mod iscsi_tcp st ch sg || exit 1
mkfs.ext4 -q /dev/vda && mount /dev/vda /mnt && touch /mnt/file || exit 1
echo to stderr >&2
if [ "$4" = wait ]; then
  echo safe >"$VM_RESULTS/safe"
  sleep 100
fi
exit 42
END
chmod +x "$scratch/program"
echo kept >"$scratch/kept"

try() { # EXIT CODE, [options] program...
  local want=$1 code=0
  shift
  VTAPE='a $b' "$run" --disk "$scratch/disk" --disk-size 64M --results "$scratch/results" "$@" >"$scratch/out" || code=$?
  [ "$code" != 77 ] || exit 77
  cat "$scratch/out"
  [ "$code" = "$want" ] || fail "exit code $code, not $want"
}
unharmed() {
  [ "$(cat "$scratch/kept")" = kept ] || fail 'the machine changed a file'
  if [ -e "$scratch/new" ] || [ -e /new ]; then fail 'the machine made a file'; fi
}

try 42 "$scratch/program" 'one  two' '$three' "$scratch" ''
[ "$(cat "$scratch/out")" = $'4:one  two:$three:a $b:0\nto stderr' ] || fail 'arguments, environment or output'
unharmed
try 137 --kill-when safe --kill-after 0.5 "$scratch/program" '' '' "$scratch" wait
[ "$(cat "$scratch/results/safe")" = safe ] || fail 'the result did not outlive the kill'
unharmed
echo 'the machine keeps its promises'
