#!/usr/bin/env bash
# The table of tape behaviours (test/conform/table.c) through the kernel's own st.   scsi-conform.sh [ROW]
# $CONFORM_MOUNT is the program that runs it.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/lib.sh"
CONFORM_MOUNT=${CONFORM_MOUNT:-${VTAPE%/src/cli/vtape}/test/conform/conform_mount}
export CONFORM_MOUNT
in_machine 600 "$@"

modprobe st
store_up 1
units_up
step 'the table'
began=$SECONDS
"$CONFORM_MOUNT" "$VTAPE" $scratch/store "$tape" "$@" | tee $scratch/rows
step "$((SECONDS - began)) s"
[ $# -gt 0 ] || grep -q '^st: 0 of [1-9][0-9]* rows failed, 0 skipped$' $scratch/rows || fail 'not every row'
! dmesg | grep -E 'ring is broken|BUG:|Oops:|general protection' || fail 'the kernel has something to say'
