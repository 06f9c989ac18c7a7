# SPDX-License-Identifier: BSD-2-Clause
# Completion of vtape(1) for bash.  Verbs and options are asked from `vtape help -H`, so they are those of the installed
# program; pools and volumes from the store, if one can be found without a word.

_vtape_volumes() {
  [[ -n $1 ]] && vtape volume list -H "$1*" 2>/dev/null | cut -f1
}

_vtape() {
  local cur prev words cword verb='' options='' w v o i operands=0
  cur=${COMP_WORDS[COMP_CWORD]}
  prev=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  [[ -n ${_vtape_table-} ]] || _vtape_table=$(vtape help -H 2>/dev/null)

  # What was typed so far without options: one or two words of it are the verb.
  local typed=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    w=${COMP_WORDS[i]}
    case $w in
      --size | --newer | --older | --type | --volume | -C | --directory | --strip) i=$((i + 1)) ;;
      -s | -p | -o | -n | --store | --pool | --options | --count | --until | --for | --rate | --live | --from | --state | --id | --owner) i=$((i + 1)) ;;
      --event | --about | --site | --access | --serial | --generation | --written) i=$((i + 1)) ;;
      --since | --severity | --timeout) i=$((i + 1)) ;;
      -*) ;;
      *) typed+=("$w") ;;
    esac
  done

  while IFS=$'\t' read -r v _ o; do
    if [[ "${typed[*]}" == "$v" || "${typed[*]}" == "$v "* ]]; then
      verb=$v options=$o
      w=($v)
      operands=$((${#typed[@]} - ${#w[@]}))
    fi
  done <<<"$_vtape_table"

  case $prev in
    -s | --store) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    -p | --pool) COMPREPLY=($(compgen -W "$(vtape pool list -H 2>/dev/null | cut -f1)" -- "$cur")); return ;;
    -C | --directory) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    --volume) COMPREPLY=($(compgen -W "$(_vtape_volumes "$cur")" -- "$cur")); return ;;
    --type) COMPREPLY=($(compgen -W 'f d l h c b p s' -- "$cur")); return ;;
    --size) COMPREPLY=($(compgen -W '+1M +100M +1G -1K' -- "$cur")); return ;;
    --newer | --older) COMPREPLY=($(compgen -W '1d 7d 30d 1y' -- "$cur")); return ;;
    --until) COMPREPLY=($(compgen -W '+7d +30d +90d +1y' -- "$cur")); return ;;
    --for) COMPREPLY=($(compgen -W '7d 30d 90d 1y' -- "$cur")); return ;;
    --event) COMPREPLY=($(compgen -W "$(vtape events -H -n 0 2>/dev/null | cut -f4 | sort -u)" -- "$cur")); return ;;
    --site) COMPREPLY=($(compgen -W "$(vtape site list -H 2>/dev/null | cut -f1)" -- "$cur")); return ;;
    --access) COMPREPLY=($(compgen -W 'secondary restricted' -- "$cur")); return ;;
    --from) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --state) COMPREPLY=($(compgen -W 'scratch assigned expired migrated error incoming' -- "$cur")); return ;;
    --severity) COMPREPLY=($(compgen -W 'info warning error' -- "$cur")); return ;;
    --format) COMPREPLY=($(compgen -W 'tap aws' -- "$cur")); return ;;
    --compression) COMPREPLY=($(compgen -W 'zstd lz4 none' -- "$cur")); return ;;
  esac

  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "${options//=/}" -- "$cur"))
  elif [[ -z $verb ]]; then
    # The first word, or the second of those that begin with the first.
    w=$(while IFS=$'\t' read -r v _; do
      if ((${#typed[@]} == 0)); then
        echo "${v%% *}"
      elif [[ $v == "${typed[0]} "* ]]; then
        echo "${v#* }"
      fi
    done <<<"$_vtape_table")
    COMPREPLY=($(compgen -W "$w" -- "$cur"))
  else
    case $verb:$operands in
      init:0 | mount:* | umount:0 | import:0 | export:1) COMPREPLY=($(compgen -f -- "$cur")) ;;
      'hook set:1') COMPREPLY=($(compgen -f -- "$cur")) ;;
      'hook '*:0 | 'hook list:'*) COMPREPLY=($(compgen -W "$(vtape hook list -H 2>/dev/null | cut -f1)" -- "$cur")) ;;
      'site settle:1' | 'volume register:0') COMPREPLY=($(compgen -W "$(vtape site clashes -H 2>/dev/null | cut -f1)" -- "$cur")) ;;
      'site '*:0 | 'site list:'*) COMPREPLY=($(compgen -W "$(vtape site list -H 2>/dev/null | cut -f1)" -- "$cur")) ;;
      'pool '*:0 | 'pool expire:'*) COMPREPLY=($(compgen -W "$(vtape pool list -H 2>/dev/null | cut -f1)" -- "$cur")) ;;
      scrub:0) COMPREPLY=($(compgen -W 'start stop status' -- "$cur")) ;;
      get:* | set:*) COMPREPLY=($(compgen -W "$(vtape get -H 2>/dev/null | cut -f1)" -- "$cur")) ;;
      'volume restore-generation:1')
        COMPREPLY=($(compgen -W "$(vtape volume history -H "${typed[-1]}" 2>/dev/null | cut -f1)" -- "$cur")) ;;
      'pool set:'* | 'pool get:'*)
        COMPREPLY=($(compgen -W "$(vtape pool get default -H 2>/dev/null | cut -f1)" -- "$cur")) ;;
      'drive load:0' | 'drive unload:0' | 'drive set:0')
        COMPREPLY=($(compgen -W "$(vtape drive list -H 2>/dev/null | cut -f1)" -- "$cur")) ;;
      'drive set:'*) COMPREPLY=($(compgen -W 'stacker=' -- "$cur")) ;;
      'scsi up:'*) COMPREPLY=($(compgen -W 'drives= changer= slots= ports= fabric=' -- "$cur")) ;;
      'scsi set:0')
        COMPREPLY=($(compgen -W "$(vtape scsi status -H 2>/dev/null | cut -f1)" -- "$cur")) ;;
      'scsi set:'*)
        COMPREPLY=($(compgen -W 'model= vendor= product= revision= serial= naa=' -- "$cur")) ;;
      'changer import:1' | 'changer export:0')
        COMPREPLY=($(compgen -W "$(vtape changer list -H 2>/dev/null | sed -n 's/^\(port[0-9]*\)\t.*/\1/p')" -- "$cur")) ;;
      'changer move:'*)
        COMPREPLY=($(compgen -W "$(vtape changer list -H 2>/dev/null | cut -f1)" -- "$cur")) ;;
      'drive load:1' | 'changer import:0' | 'volume '* | ls:0 | cat:0 | restore:* | 'contents '* | damage:* | export:0 | import:1 | stats:0)
        COMPREPLY=($(compgen -W "$(_vtape_volumes "$cur")" -- "$cur")) ;;
      help:*) COMPREPLY=($(compgen -W "$(cut -f1 <<<"$_vtape_table")" -- "$cur")) ;;
    esac
  fi
}

complete -o filenames -F _vtape vtape
