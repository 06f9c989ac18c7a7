#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Injures files of a store, one at a time, and looks what is left of the tapes: 24-injuries.sh [N [SEED]]
#
# After each injury: the store opens by itself, or it says why not and `vtape rebuild-index` makes it open; no byte is
# read that was never written; a tape that gives an error is one that `vtape damage` names; without an injured pack every
# tape is whole; with one, writing the same data again heals every tape.  What `vtape find` tells is on the tapes; all of
# it, without an injured pack.  One line an injury goes to $INJURIES_LOG.
. "$(dirname "$0")/../lib/functions.sh"
: "${INJURE:?names the program injure}" "${TAPETRUTH:?names the program tapetruth}" "${TAPESEQ:?}"
requires tar jq

count=${1:-${VTAPE_INJURIES:-100}} seed=${2:-20261122}
log=${INJURIES_LOG:-$scratch/injuries.log}
truth=$scratch/truth
src=$(cd "$(dirname "$0")/../.." && pwd)
mkdir "$truth"
echo "seed $seed"

# ---- a store with a bit of everything -------------------------------------------------------------------------------

fill_one() {
  vtape pool create two compression=zstd
  tar -C "$src" -b 20 -cf "$MNT/tapes/default/TAR1" include src/pack src/tape
  tar -C "$src" -b 64 -cf "$MNT/tapes/default/TAR2" include src/pack src/kv
  "$TAPESEQ" write "$MNT/tapes/default/SEQ1" 11 "$scratch/seq.log" 40
  head -c 2M /dev/urandom >"$scratch/random"
  dd if="$scratch/random" of="$MNT/tapes/two/RANDOM" bs=64k status=none
}

fill_two() {
  "$TAPESEQ" write "$MNT/tapes/two/SEQ2" 12 "$scratch/seq.log" 40
  dd if="$scratch/random" of="$MNT/tapes/default/OVER" bs=7000 status=none
  tar -C "$src" -cf "$MNT/tapes/default/OVER" src/util src/pack
  local i
  for i in 1 2 3 4 5 6; do cp "$src/LICENSE" "$MNT/files/default/TAR1/license-$i"; done
  for i in {1..300}; do echo "line $i"; done | dd of="$MNT/tapes/two/SMALL" bs=9 status=none
}

fill_three() {
  tar -C "$src" -b 128 -cf "$MNT/tapes/two/TAR3" include src man
  dd if="$scratch/random" of="$MNT/tapes/two/GONE" bs=32k count=20 status=none
  vtape volume delete --yes GONE
}

start_store
fill_one
stop_store
start_store
fill_two
stop_store
start_store
fill_three
for image in "$MNT"/images/*/*.tap; do
  pool=$(basename "$(dirname "$image")")
  cp "$image" "$truth/$pool:$(basename "$image" .tap)"
done
history=$(vtape volume history OVER --json)
all_members() {
  vtape find '*' --json >"$scratch/hits" 2>"$scratch/words" || return $?
  jq -c '[.volume, .file, .path, .size_bytes, (if .type == "d" then null else .mtime_ns end)]' "$scratch/hits" | sort
}
vtape contents settle >/dev/null
all_members >"$scratch/members"
[ "$(wc -l <"$scratch/members")" -gt 100 ] || fail "only $(wc -l <"$scratch/members") members are known"
cp -a "$STORE" "$scratch/golden-running"
stop_store
mv "$STORE" "$scratch/golden"
rm -f "$scratch"/golden*/{lock,ctl.sock}

# ---- one injury -----------------------------------------------------------------------------------------------------

lost=0 hurt= both=

# Reads every tape past what cannot be read; sets lost (objects) and hurt (names).
read_all() {
  local t name status out
  lost=0 hurt=
  for t in "$truth"/*; do
    name=${t##*:} pool=$(basename "${t%:*}") status=0
    out=$("$TAPETRUTH" "$MNT/tapes/$pool/$name" "$t" 2>"$scratch/words") || status=$?
    case $status in
    0) ;;
    3) hurt+=" $name"; lost=$((lost + $(cut -d' ' -f2 <<<"$out"))) ;;
    1) [ -n "$both" ] && grep -q 'No such file' "$scratch/words" ||
        fail "injury $i ($what): $(cat "$scratch/words")"
      hurt+=" $name" lost=$((lost + 1)) ;;
    *) fail "injury $i ($what): $(cat "$scratch/words")" ;;
    esac
  done
}

# Opens it by itself, or after rebuild-index; sets how.
open_it() {
  how=opened
  if try_start 2>"$scratch/words"; then return; fi
  [ -s "$scratch/words" ] || fail "injury $i ($what): refused without a word"
  rebuild
}

# start_store ends the script when it cannot.
try_start() {
  local status
  vtape mount "$STORE" "$MNT" || return 1
  mounted=("$MNT")
  status=$(vtape -s "$STORE" status --json)
  [[ $status =~ \"pid\":\ *([0-9]+) ]] && daemon=${BASH_REMATCH[1]}
}

rebuild() {
  how=rebuilt
  vtape rebuild-index >"$scratch/words" 2>&1 || [[ $what == *"/packs/"* || -n $both ]] ||
    fail "injury $i ($what): rebuild-index: $(cat "$scratch/words")"
  try_start 2>"$scratch/words" || fail "injury $i ($what): not open after rebuild-index: $(cat "$scratch/words")"
}

# Every tape that could not be read is named as hurt.
named() {
  local name told
  told=$(vtape damage --json 2>/dev/null || true)
  for name in $hurt; do
    grep -q "\"$name\"" <<<"$told" || fail "injury $i ($what): $name cannot be read, and vtape damage does not say so"
  done
}

# Whatever became of the catalog of contents, nothing in it is untrue, and nothing is missing without a word; without an
# injured pack all of it comes back, by itself or with the database.
find_is_true() {
  local wrong status=0
  vtape contents settle >/dev/null 2>&1 || true
  all_members >"$scratch/found" || status=$?
  if [ "$status" = 7 ] && [ "$how" = opened ]; then
    stop_store
    rebuild
    vtape contents settle >/dev/null
    status=0
    all_members >"$scratch/found" || status=$?
  fi
  [ "$status" = 0 ] || fail "injury $i ($what): vtape find: $(cat "$scratch/words")"
  wrong=$(comm -13 "$scratch/members" "$scratch/found" | head -n 3)
  [ -z "$wrong" ] || fail "injury $i ($what): vtape find tells of $wrong"
  [[ $what == *"/packs/"* || -n $both ]] || cmp -s "$scratch/members" "$scratch/found" ||
    fail "injury $i ($what): vtape find has $(wc -l <"$scratch/found") of $(wc -l <"$scratch/members") members"
}

# The same data comes again, on other tapes.
heal() {
  local t
  for t in "$truth"/*; do
    cp "$t" "$MNT/images/default/HEAL-${t##*:}.tap"
  done
  read_all
  [ "$lost" = 0 ] || fail "injury $i ($what): $lost objects of$hurt are not healed by the same data written again"
}

declare -A opened=() rebuilt=() whole=() cut=() only=()
count_in() { # ARRAY KIND [N]
  local -n in=$1
  in[$2]=$((${in[$2]:-0} + ${3:-1}))
}

one_injury() {
  local golden=golden kind state=whole was=0
  ((i % 4)) || golden=golden-running
  rm -rf "$STORE"
  cp -a "$scratch/$golden" "$STORE"
  what=$("$INJURE" "$STORE" $((seed + i)))
  # The database and the journal are each other's copy: with a file of both gone at once, what they knew may be, too.
  both=
  if [[ $what == swap* && $what == */db/* && $what == */journal/* ]]; then both=1; fi
  kind=${what%% *}
  open_it
  read_all
  # Of a tape that cannot be opened nothing is found.
  [[ $what != *"/packs/"* && -z $both && $lost != 0 ]] || find_is_true
  if [ -n "$both" ]; then
    [ "$lost" = 0 ] || state=hurt was=$lost
  elif [[ $what != *"/packs/"* ]]; then
    if [ "$lost" != 0 ]; then
      stop_store
      rebuild
      read_all
      find_is_true
    fi
    [ "$lost" = 0 ] || fail "injury $i ($what): no pack was injured, and $lost objects of$hurt are lost"
    if [ "$how" = rebuilt ]; then
      assert_eq "$(vtape volume history OVER --json | jq -c '[.[]?.generation?]' 2>/dev/null)" \
        "$(jq -c '[.[]?.generation?]' <<<"$history" 2>/dev/null)"
    fi
  elif [ "$lost" != 0 ]; then
    state=hurt was=$lost
    named
    # A pack and the database at once: with the index gone too, nothing knows any more which chunks the pack held.
    [ "$how" = rebuilt ] || heal
  fi
  vtape status >/dev/null || fail "injury $i ($what): the daemon is gone"
  stop_store
  [ "$how" = opened ] && count_in opened "$kind" || count_in rebuilt "$kind"
  case $state-$how in
  whole-*) count_in whole "$kind" ;;
  hurt-opened) count_in cut "$kind" ;;
  *) count_in only "$kind" ;;
  esac
  echo "$i $how $state $was $what" >>"$log"
}

for ((i = 1; i <= count; i++)); do
  one_injury
done

declare -A words=([flip]='a bit flipped' [scribble]='random bytes written over' [zero]='a part zeroed' [cut]='cut short'
  [remove]='removed' [swap]='swapped with another file' [grow]='made longer')
total=0
for kind in flip scribble zero cut remove swap grow; do
  o=${opened[$kind]:-0} r=${rebuilt[$kind]:-0}
  total=$((total + o + r))
  [ $((o + r)) = 0 ] ||
    printf '| a file of it %s | %d | opened by itself %d, after `vtape rebuild-index` %d; every tape whole %d, some records hurt, told and healed %d, told only (two copies at once) %d; wrong bytes 0 |\n' \
      "${words[$kind]}" $((o + r)) "$o" "$r" "${whole[$kind]:-0}" "${cut[$kind]:-0}" "${only[$kind]:-0}"
done
echo "injuries=$total wrong=0 unhealed=0"
