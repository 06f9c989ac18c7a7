# SPDX-License-Identifier: BSD-2-Clause
# For the end-to-end scripts: sourced first, it gives a scratch folder, a store in it and its mount, and clears up
# whatever way the script ends.  From the environment (meson sets them): VTAPE, VTAPED, TAPESEQ, MT.  VTAPE_KEEP=1 keeps
# the scratch folder of a script that failed.
#
#   $scratch $STORE $MNT            folders; a script may set STORE and MNT before start_store
#   vtape VERB...                   the program under test, on $STORE unless -s says otherwise
#   requires CMD...                 or the test is skipped
#   start_store [options of init]   makes the store if there is none, mounts it (with -o $MOUNT_OPTIONS)
#   stop_store                      unmounts, waits for the daemon's end
#   crash_store                     kill -9, and the dead mount is taken away
#   cleanup_fn CMD [ARG]...         done at the end, last one first, after the store was stopped
#   fail WORDS, skip WORDS, assert_eq GOT WANT, assert_fails CMD..., wait_until SECONDS CMD...
#   assert_says WANT CMD...         it succeeds and says just that ("$(CMD)" may be empty because it failed)
set -euE -o pipefail

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# Loud, because a test that is skipped by mistake looks like one that passed.
skip() {
  echo "**** SKIPPED: ${0##*/}: $* ****" >&2
  exit 77
}

requires() {
  local cmd
  for cmd; do
    command -v "$cmd" >/dev/null || skip "needs $cmd, which is not here"
  done
}

: "${VTAPE:?names the program vtape}" "${VTAPED:?names the program vtaped}"
export VTAPE VTAPED
scratch=$(mktemp -d "${TMPDIR:-/tmp}/vtape-e2e.XXXXXX")
STORE=$scratch/store
MNT=$scratch/mnt
daemon=
mounted=()
cleanups=()

vtape() {
  VTAPE_STORE=$STORE "$VTAPE" "$@"
}

assert_eq() {
  [ "$1" = "$2" ] || fail "line ${BASH_LINENO[0]}: got '$1', not '$2'"
}

assert_says() {
  local want=$1 said
  shift
  said=$("$@") || fail "line ${BASH_LINENO[0]}: failed: $*"
  [ "$said" = "$want" ] || fail "line ${BASH_LINENO[0]}: '$*' says '$said', not '$want'"
}

assert_fails() {
  if "$@"; then
    fail "line ${BASH_LINENO[0]}: succeeded: $*"
  fi
}

wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.02
  done
}

# A zombie whose parent does not care has ended all the same; but while another of its threads is on its way out, its
# files are still open.
ended() {
  local thread
  for thread in /proc/"$1"/task/*/status; do
    ! grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "$thread" || return 1
  done
}

start_store() {
  local status
  [ -w /dev/fuse ] || skip "needs /dev/fuse"
  if [ ! -e "$STORE/vtape.store" ]; then
    vtape init "$STORE" "$@"
  fi
  mkdir -p "$MNT"
  vtape mount ${MOUNT_OPTIONS:+-o "$MOUNT_OPTIONS"} "$STORE" "$MNT"
  mounted+=("$MNT")
  status=$(vtape -s "$STORE" status --json)
  [[ $status =~ \"pid\":\ *([0-9]+) ]] || fail "vtape status --json does not tell the daemon's pid: $status"
  daemon=${BASH_REMATCH[1]}
}

stop_store() {
  vtape umount "$MNT"
  wait_until 30 ended "$daemon" || fail "the daemon $daemon lives on after the unmount"
  daemon=
}

crash_store() {
  kill -9 "$daemon"
  wait_until 30 ended "$daemon" || fail "the daemon $daemon survived kill -9"
  daemon=
  unmount_lazily "$MNT"
}

unmount_lazily() {
  grep -qF " $1 fuse" /proc/self/mounts || return 0
  fusermount3 -u -z "$1" 2>/dev/null || umount -l "$1"
}

cleanup_fn() {
  cleanups+=("$(printf '%q ' "$@")")
}

# Nothing here may stop the rest of it.
clean_up() {
  local status=$? i m
  trap - EXIT ERR
  set +eu
  cd /
  exec </dev/null
  for m in "${mounted[@]}"; do
    unmount_lazily "$m"
  done
  if [ -n "$daemon" ] && ! wait_until 5 ended "$daemon"; then
    kill -9 "$daemon"
    wait_until 10 ended "$daemon"
  fi
  for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do
    eval "${cleanups[i]}"
  done
  if [ "$status" != 0 ] && [ "$status" != 77 ] && [ -n "${VTAPE_KEEP:-}" ]; then
    echo "kept: $scratch" >&2
  else
    rm -rf --one-file-system "$scratch"
  fi
  exit "$status"
}

trap clean_up EXIT
trap 'echo "FAILED: ${0##*/}, line $LINENO: $BASH_COMMAND" >&2' ERR
trap 'exit 130' INT
trap 'exit 143' TERM
