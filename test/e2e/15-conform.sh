#!/usr/bin/env bash
# The table of tape behaviours (test/conform/table.c) through an emulated drive.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
: "${CONFORM_MOUNT:?names the program conform_mount}"

start_store
"$CONFORM_MOUNT" "$VTAPE" "$STORE" "$MNT" ${1:+"$1"}
stop_store
