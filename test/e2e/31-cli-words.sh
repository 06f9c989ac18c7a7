#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The table of verbs, --help, the manual and the completion tell the same story.
. "$(dirname "$0")/../lib/functions.sh"
top=$(cd "$(dirname "$0")/../.." && pwd)
man=$top/man/vtape.1

# ".Fl -json" and "vtape pool list" as a reader sees them, without macros and quotes.
page=$(sed -E 's/^\.It Cm /VERB /; s/^\.(Fl|Cm|It|Op|Ar) //; s/ (Oo|Oc|Op|Ar|Fl|Cm|Ns|=) ?/ /g' "$man")

while IFS=$'\t' read -r verb operands options; do
  # The manual has the verb as an item, in its section of verbs.
  grep -qE "^VERB $verb( |\$)" <<<"$page" || fail "vtape(1) has no verb '$verb'"

  [ "$operands" != - ] || operands=
  # --help prints the same operands and options.
  help=$("$VTAPE" $verb --help)
  [[ $help == "usage: vtape $verb${operands:+ $operands}"$'\n'* ]] || fail "'vtape $verb --help' begins: ${help%%$'\n'*}"
  for option in $options; do
    name=${option%=}
    grep -qE -- "(^| )$name( |\$)" <<<"$help" || fail "'vtape $verb --help' lacks $name"
    grep -qE -- "Fl (.*Fl )?-${name#--}( |\$)" "$man" || fail "vtape(1) does not mention $name"
  done
  [ "$(awk '{ if (length($0) > max) max = length($0) } END { print max + 0 }' <<<"$help")" -le 100 ] ||
    fail "'vtape $verb --help' is too wide"

  # An option that there is not is refused.
  if "$VTAPE" $verb --no-such-option 2>/dev/null; then
    fail "'vtape $verb' takes any option"
  fi
done < <("$VTAPE" help -H)

# A noun alone says what it can do: as help when asked, as a usage error when not.
for noun in pool volume drive scsi changer hook site contents; do
  [[ $("$VTAPE" $noun --help) == *"vtape $noun "* ]] || fail "'vtape $noun --help' does not list its verbs"
  status=0; "$VTAPE" $noun >/dev/null 2>&1 || status=$?
  assert_eq "$status" 2
done

# No verb in the manual that the program does not have.
while read -r verb; do
  "$VTAPE" help $verb >/dev/null || fail "vtape(1) has '$verb', the program has not"
done < <(sed -n 's/^\.It Cm \(\([a-z-]* \)\{0,1\}[a-z-]*\).*/\1/p' "$man" | sed -E 's/ (Oo|Op|Ar|Fl|Brq).*//')

# The completion offers every verb and every option.
. "$top/src/cli/vtape.bash"
PATH=$(dirname "$VTAPE"):$PATH
unset -f vtape
offered() {
  COMP_WORDS=(vtape "$@") COMP_CWORD=$#
  COMPREPLY=()
  _vtape
  printf '%s\n' "${COMPREPLY[@]}" >"$scratch/offered"
}
while IFS=$'\t' read -r verb _ options; do
  read -ra words <<<"$verb"
  offered "${words[0]:0:1}"
  grep -qxF "${words[0]}" "$scratch/offered" || fail "the completion does not offer ${words[0]}"
  if [ "${#words[@]}" = 2 ]; then
    offered "${words[0]}" ''
    grep -qxF "${words[1]}" "$scratch/offered" || fail "the completion does not offer $verb"
  fi
  offered "${words[@]}" --
  for option in $options; do
    grep -qxF -- "${option%=}" "$scratch/offered" || fail "the completion does not offer $verb ${option%=}"
  done
done < <("$VTAPE" help -H)

# Every request that the daemon answers is in its manual.
requests=$(sed -n 's/^\t{ "\([a-z.]*\)", *serve_.*/\1/p' "$top/src/daemon/serve.c")
[ "$(wc -l <<<"$requests")" -gt 20 ] || fail 'the requests are not found in serve.c'
for request in $requests; do
  grep -qE "^\.It Cm (.* )?${request//./\\.}( |\$)" "$top/man/vtaped.8" || fail "vtaped(8) has no request '$request'"
done
