# SPDX-License-Identifier: BSD-2-Clause
# What the scripts share that try SCSI with real programs (test/vm/scsi-*.sh).  Sourced:
#
#   . "$(dirname "$0")/lib.sh"
#   packages bacula-sd                # Debian's, for the machine; before in_machine
#   in_machine 300 "$@"               # seconds; runs the script again, as root of a virtual machine, and ends with its code
#   library_up drives=ibm-lto6        # in the machine: a store with ten volumes A00001L6.., units up
#   $tape $tape_sg $changer           # /dev/nst0, its /dev/sgN, the changer's
#
# $VTAPE and $VTAPED are the programs; $scratch is a folder in the machine's memory.
set -euEo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
step() { echo "-- $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "SKIPPED: $*" >&2; exit 77; }
assert_eq() { [ "$1" = "$2" ] || fail "${3:-}: '$1' is not '$2'"; }
requires() { local p; for p; do command -v "$p" >/dev/null || skip "needs $p"; done; }
# fails COMMAND...: it must not succeed; what it says is in $scratch/said.
fails() { if "$@" >"$scratch/said" 2>&1; then cat "$scratch/said"; fail "succeeded: $*"; fi; }

debs=()
packages() {
  [ -z "${IN_MACHINE:-}" ] || return 0
  local said
  said=$("$here/debs" "$@") || skip "cannot fetch $*"
  mapfile -t debs <<<"$said"
}

in_machine() {
  local timeout=$1 code=0 file
  shift
  if [ -z "${IN_MACHINE:-}" ]; then
    : "${VTAPE:?} ${VTAPED:?}"
    export IN_MACHINE=1 VM_DEBS="${debs[*]}"
    "$here/run" --timeout "$timeout" --memory "${VM_MEMORY:-1536}" -e IN_MACHINE -e VM_DEBS \
      ${VM_CONSOLE:+--console "$VM_CONSOLE"} "$(realpath "$0")" "$@" || code=$?
    exit "$code"
  fi
  PATH=$PATH:/usr/sbin:/sbin
  scratch=/mnt/scratch
  mkdir -p $scratch
  # /lib is a link, and stays one.
  for file in ${VM_DEBS:-}; do dpkg --fsys-tarfile "$file" | tar -x -C / --keep-directory-symlink; done
  ldconfig
  trap 'ending $?' EXIT
  trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR
}

ending() {
  if [ "$1" != 0 ] && [ "$1" != 77 ]; then
    "$VTAPE" -s $scratch/store events -H 2>/dev/null | tail -n 10 || true
    dmesg | tail -n 15 || true
  fi
}

# until_true SECONDS COMMAND...
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "never came true: $*"
    sleep 0.2
  done
}

column() { vt scsi status -H | awk -F '\t' -v unit="$1" -v n="$2" '$1 == unit { print $n }'; }
vt() { "$VTAPE" -s $scratch/store "$@"; }

store_up() { # [DRIVES]
  vt init $scratch/store >/dev/null 2>&1 || "$VTAPE" init $scratch/store >/dev/null
  mkdir -p $scratch/mnt
  "$VTAPE" mount --drives "${1:-2}" $scratch/store $scratch/mnt
}

units_up() { # [PROPERTY=VALUE...]
  vt scsi up "$@"
  until_true 60 test -n "$(column nst0 3)"
  tape=$(column nst0 4) tape_sg=$(column nst0 3)
  tape1=$(column nst1 4) tape1_sg=$(column nst1 3)
  changer=$(column changer 3)
  until_true 20 test -c "$tape"
}

library_up() { # [PROPERTY=VALUE...]
  store_up 2
  vt volume create A00001L6+10
  units_up "$@"
}
