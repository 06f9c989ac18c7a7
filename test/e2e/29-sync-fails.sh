#!/usr/bin/env bash
# A sync of a pack or of the journal fails once, and what it was to make safe is lost: the kernel tells that once, and the
# next sync succeeds.  Through every door: who waited is told, nothing that is acknowledged from then on was lost, and
# after a kill -9 the store opens and is whole.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires cmp dd
[ -e "${BADCALL:-}" ] || skip 'needs badcall, which was not built'
export BADCALL_SYNC=$scratch/armed

start() {
  export LD_PRELOAD=$BADCALL
  local before=${ASAN_OPTIONS:-}
  export ASAN_OPTIONS=verify_asan_link_order=0:$before
  start_store
  unset LD_PRELOAD
  export ASAN_OPTIONS=$before
}
# Every second of them ends as one before began, so some of it is shared.
head -c 400000 /dev/urandom >"$scratch/shared"
data() { # NAME
  [ -e "$scratch/data.$1" ] || { head -c 150000 /dev/urandom; cat "$scratch/shared"; } >"$scratch/data.$1"
}
as_tape() { dd if="$scratch/data.$1" of="$MNT/tapes/default/$2" bs=64k conv=fsync; }
as_file() { mkdir -p "$MNT/files/default/$2" && dd if="$scratch/data.$1" of="$MNT/files/default/$2/it" bs=64k conv=fsync; }
as_drive() { dd if="$scratch/data.$1" of="$MNT/drives/nst0" bs=64k; }

kept=()		# NAME VOLUME of what was acknowledged
door() { # KIND NAME VOLUME
  data "$2"
  # shellcheck disable=SC2310
  if "as_$1" "$2" "$3" >"$scratch/said" 2>&1; then
    kept+=("$2 $3")
    return 0
  fi
  return 1
}
read_all() {
  local k
  for k in "${kept[@]}"; do
    # shellcheck disable=SC2086
    set -- $k
    cat "$MNT/files/default/$2/0001" | cmp - "$scratch/data.$1" || fail "$2 is not what was acknowledged"
  done
}

start
told=0 met=0
for kind in tape file drive; do
  for n in 1 2 3; do
    v=${kind^^}$n
    [ $kind != drive ] || { vtape volume create "$v" && vtape drive load 0 "$v"; } >/dev/null
    echo "$n" >"$BADCALL_SYNC"
    worked=no
    # shellcheck disable=SC2310
    if door $kind "$v" "$v"; then worked=yes; fi
    if [ ! -e "$BADCALL_SYNC" ]; then
      met=$((met + 1))
      [ $worked = yes ] || told=$((told + 1))
    fi
    rm -f "$BADCALL_SYNC"
    # The same once more, elsewhere: it shares what is there, and may be refused, but not acknowledged in vain.
    door tape "$v" "X$v" || true
    door tape "Y$v" "Y$v" || true
    crash_store
    start
    vtape drive unload 0 >/dev/null
    read_all
    vtape check >"$scratch/said" || { cat "$scratch/said"; fail "$kind, sync $n"; }
    door tape "Z$v" "Z$v" || fail "$kind, sync $n: after a start nothing can be written"
  done
done
echo "met=$met told=$told kept=${#kept[@]}"
[ "$met" -ge 6 ] && [ "$told" -ge 6 ] || fail "only $met syncs failed"
stop_store
