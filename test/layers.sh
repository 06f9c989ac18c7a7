#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The arrows between rooms: which room may include which.  Prints each include that goes against them; exit 1 if any.
# A public header may include what its room may.  Usage: layers.sh [top of the source tree]
set -eu
cd "${1:-$(dirname "$0")/..}"

arrows='
util:
kv:      util
pack:    util
chunk:   util kv pack
tape:    util kv chunk
catalog: util kv
library: util kv chunk tape catalog
scsi:    util tape catalog library
tcmu:    util scsi
image:   util tape
tarball: util
contents: util kv tape catalog library tarball
fs:      util chunk tape library catalog image contents
ctl:     util
daemon:  util kv pack chunk tape catalog library image tarball contents fs ctl scsi tcmu
cli:     util ctl
'

# "path:room:included room", one line per include of a room's header, public or private.
includes() {
  grep -rHoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"][a-z]+/[a-z_]+\.h[>"]' src include/vtape \
    --include='*.[ch]' |
    sed -nE -e 's|^((src/([a-z]+)/[^:]*)):.*[<"]vtape/([a-z_]+)\.h.*|\1:\3:\4|p; t' \
      -e 's|^((include/vtape/([a-z_]+)\.h)):.*[<"]vtape/([a-z_]+)\.h.*|\1:\3:\4|p; t' \
      -e 's|^((src/([a-z]+)/[^:]*)):.*"([a-z]+)/[a-z_]+\.h".*|\1:\3:\4|p; t' \
      -e 's|^((include/vtape/([a-z_]+)\.h)):.*"([a-z]+)/[a-z_]+\.h".*|\1:\3:\4|p'
}

includes | awk -F: -v arrows="$arrows" '
  BEGIN {
    n = split(arrows, line, "\n")
    for (i = 1; i <= n; i++) {
      m = split(line[i], word, /[: ]+/)
      for (j = 1; j <= m; j++)
        ok[word[1], word[j]] = 1
    }
  }
  !(($2, $3) in ok) { print $1 ": " $2 " may not include " $3; bad = 1 }
  END {
    if (!NR) { print "no includes found: wrong folder?"; bad = 1 }
    exit bad
  }'
