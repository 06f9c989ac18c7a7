#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Requests that vtape would never send: members missing, of another type, too long, of no meaning; messages that are none.
# Each gets an answer or an end of its connection, and the daemon lives and has lost nothing.
. "$(dirname "$0")/../lib/functions.sh"
requires python3

start_store
vtape volume create KEEP1 --protect
vtape pool create keep
vtape drive load 0 KEEP1

python3 "$(dirname "$0")/../lib/ctl_garbage.py" "$STORE/ctl.sock"

ended "$daemon" && fail 'the daemon died'
assert_eq "$(vtape drive list -H | head -n 1 | cut -f 2)" KEEP1
assert_eq "$(vtape pool list -H keep | cut -f 1)" keep
stop_store
