# Completion of dsa-slurm for bash, written by: dsa-slurm completion bash
# The program itself is asked for the candidates, so that this file never becomes outdated.

_dsa_slurm() {
  local rest=$COMP_LINE index word whole line prefix
  local -a words=()
  # readline splits words at = and :, which belong to the words of this program
  for ((index = 0; index <= COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    if ((index == 0)) || [[ -z $rest || $rest == [[:blank:]]* ]]; then
      words+=("$word")
    else
      words[${#words[@]} - 1]+=$word
    fi
    rest=${rest#*"$word"}
  done
  whole=${words[${#words[@]} - 1]}
  prefix=
  if [[ $COMP_WORDBREAKS == *=* && $whole == *=* ]]; then prefix=${whole%=*}=; fi
  if [[ $COMP_WORDBREAKS == *:* && ${whole#"$prefix"} == *:* ]]; then prefix=${whole%:*}:; fi
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) compopt -o default ;;
      :directories) compopt -o dirnames ;;
      *)
        word=${line%%$'\t'*}
        if [[ $word == *= ]]; then compopt -o nospace; fi
        COMPREPLY+=("${word#"$prefix"}")
        ;;
    esac
  done < <("${words[0]}" completion bash -- "${words[@]:1}" 2>/dev/null)
}

complete -F _dsa_slurm dsa-slurm
