#compdef dsa-slurm
# Completion of dsa-slurm for zsh, written by: dsa-slurm completion zsh
# The program itself is asked for the candidates, so that this file never becomes outdated.

_dsa_slurm() {
  local line value
  local -a candidates descriptions open_candidates open_descriptions
  while IFS= read -r line; do
    case $line in
      :files) _files ;;
      :directories) _files -/ ;;
      *)
        value=${line%%$'\t'*}
        if [[ $value == *= ]]; then
          open_candidates+=("$value")
          open_descriptions+=("${line/$'\t'/  }")
        else
          candidates+=("$value")
          descriptions+=("${line/$'\t'/  }")
        fi
        ;;
    esac
  done < <("${words[1]}" completion zsh -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)
  if (( ${#candidates} )); then compadd -l -d descriptions -a candidates; fi
  if (( ${#open_candidates} )); then compadd -S '' -l -d open_descriptions -a open_candidates; fi
}

if [[ ${funcstack[1]:-} == _dsa-slurm ]]; then
  _dsa_slurm "$@"
else
  compdef _dsa_slurm dsa-slurm
fi
