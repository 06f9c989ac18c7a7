#!/usr/bin/env bash
# Programs that we did not write agree with us on what is on a tape: Hercules (hetmap, tapemap, hetget, hetupd, hetinit)
# on AWS images, SIMH (mtdump, and a PDP-11 with a TM11 that reads and writes records) on .tap images; both ways.
# SPDX-License-Identifier: BSD-2-Clause
. "$(dirname "$0")/../lib/functions.sh"
requires fusermount3 cmp dd hetmap tapemap hetget hetupd hetinit mtdump pdp11

cd "$scratch"
start_store
nst=$MNT/drives/nst0

# ---- a tape with two files of records, made through the drive ------------------------------------------------------
head -c 3000 /dev/urandom >small                 # records of 700, the last of 200
seq -w 1 4000 | head -c 20000 >text              # records of 8000, the last of 4000
printf 'odd' >odd                                # one record of an odd length
vtape volume create TWO >/dev/null
vtape drive load 0 TWO >/dev/null
dd if=small of="$nst" bs=700 status=none
dd if=text of="$nst" bs=8000 status=none
dd if=odd of="$nst" bs=3 status=none
vtape drive unload 0 >/dev/null

# ---- AWS: Hercules reads ours --------------------------------------------------------------------------------------
vtape export TWO two.aws
cat >want.map <<'END'
File 1: Blocks=5, block size min=200, max=700
File 2: Blocks=3, block size min=4000, max=8000
File 3: Blocks=1, block size min=3, max=3
End of tape.
END
hetmap -t two.aws 2>/dev/null | grep -E '^(File|End)' >het.map
tapemap two.aws 2>/dev/null | grep -E '^(File|End)' >tape.map
diff want.map het.map
diff want.map tape.map
i=0
for file in small text odd; do
  i=$((i + 1))
  hetget -n two.aws "got.$file" $i U 0 32760 >/dev/null 2>&1
  cmp "got.$file" "$file"
done

# ---- AWS: we read Hercules's ---------------------------------------------------------------------------------------
# The same tape with every record cut into segments of 4096, as the strict format wants it.
hetupd -s two.aws strict.aws >/dev/null 2>&1
assert_fails cmp -s two.aws strict.aws
vtape import strict.aws STRICT
vtape export STRICT strict.tap
vtape export TWO two.tap
cmp strict.tap two.tap

# A labelled tape that Hercules initialised; its first record is the volume label.
hetinit -d -i label.aws HERC01 SOMEBODY >/dev/null 2>&1
vtape import label.aws HERC01 --format aws
label=$(dd if="$MNT/tapes/default/HERC01" bs=80 count=1 conv=ascii status=none)
assert_eq "${label:0:10}" VOL1HERC01
vtape export HERC01 label2.aws
cmp label.aws label2.aws

# Compressed blocks are refused, and nothing is left of the try.
hetupd -z two.aws packed.het >/dev/null 2>&1
if vtape import packed.het PACKED 2>refused; then fail "a compressed image was taken"; fi
grep -q HET refused || fail "the refusal does not name HET: $(cat refused)"
assert_fails vtape volume show PACKED 2>/dev/null
hetupd -d packed.het unpacked.aws >/dev/null 2>&1
vtape import unpacked.aws UNPACKED
vtape export UNPACKED unpacked.tap
cmp unpacked.tap two.tap

# ---- .tap: SIMH reads ours -----------------------------------------------------------------------------------------
cmp two.tap "$MNT/images/default/TWO.tap"
mtdump two.tap | sed -n 's/.*, record [0-9]*, length = \([0-9]*\) .*/\1/p; s/.*, end of tape file.*/mark/p' |
  tr '\n' ' ' >dump
assert_eq "$(cat dump)" "700 700 700 700 200 mark 8000 8000 4000 mark 3 mark "

# A PDP-11: MTBRC is minus the bytes to read or write, MTCMA where, MTC the command; then wait for the controller.
pdp11_program='
set cpu 11/40
dep 1000 012737
dep 1004 172524
dep 1006 012737
dep 1010 002000
dep 1012 172526
dep 1014 012737
dep 1020 172522
dep 1022 105737
dep 1024 172522
dep 1026 100375
dep 1030 000000
'
# command CODE BYTES: 3 reads, 5 writes, 7 writes a tape mark (800 bpi, 9 tracks: 60000)
command_() { printf 'dep 1016 0600%02o\ndep 1002 %o\ngo 1000\n' "$((8#$1))" $((65536 - $2)); }
# run_pdp11 TAPE ATTACH_OPTION: the commands come on standard input
run_pdp11() {
  { echo "$pdp11_program"; echo "attach $2 tm0 $1"; cat; echo exit; } >pdp11.ini
  timeout 60 pdp11 pdp11.ini </dev/null | tr -d '\r' >pdp11.out
}

# It reads the tape straight from the mount: every record's length (what is left of the count) and the marks.
{
  for ((i = 0; i < 12; i++)); do command_ 3 9000; echo 'ex tm mtbrc'; echo 'ex tm mts'; done
} | run_pdp11 "$MNT/images/default/TWO.tap" -r
lengths=
while read -r name value; do
  case $name in
  MTBRC:) left=$((65536 - 8#$value)) ;;
  MTS:) if ((8#$value & 8#40000)); then lengths+='mark '; else lengths+="$((9000 - left)) "; fi ;;
  esac
done <pdp11.out
assert_eq "$lengths" "$(cat dump)"

# And the bytes: the odd record is the eleventh object.
{ for ((i = 0; i < 11; i++)); do command_ 3 9000; done; echo 'ex -b 2000-2002'; } | run_pdp11 two.tap -r
assert_eq "$(sed -n 's/^200[012]:[[:space:]]*//p' pdp11.out | tr '\n' ' ')" "157 144 144 "

# ---- .tap: we read SIMH's ------------------------------------------------------------------------------------------
{
  for ((i = 0; i < 5; i++)); do printf 'dep -b %o %o\n' $((1024 + i)) $((65 + i)); done
  command_ 5 3
  command_ 5 5
  command_ 7 0
  command_ 5 4
  command_ 7 0
  command_ 7 0
} | run_pdp11 written.tap ''
[ -s written.tap ] || fail "the PDP-11 wrote nothing: $(cat pdp11.out)"
vtape import written.tap PDP11
vtape drive load 1 PDP11 >/dev/null
nst=$MNT/drives/nst1
{
  for ((i = 0; i < 5; i++)); do dd bs=100 count=1 status=none; echo; done
} <"$nst" >read.back
printf 'ABC\nABCDE\n\nABCD\n\n' | cmp - read.back
vtape drive unload 1 >/dev/null
cmp written.tap "$MNT/images/default/PDP11.tap"

# Through the mount, as a plain copy.
cp written.tap "$MNT/images/default/COPIED.tap"
cmp written.tap "$MNT/images/default/COPIED.tap"
mtdump "$MNT/images/default/COPIED.tap" >/dev/null

# Broken off in the middle of a record: refused, and the tape that was there stays.
head -c 20 written.tap >half.tap
if vtape import half.tap PDP11 --overwrite 2>refused; then fail "half an image was taken"; fi
grep -q 'ends inside a record' refused || fail "the refusal does not say why: $(cat refused)"
cmp written.tap "$MNT/images/default/PDP11.tap"
stop_store
