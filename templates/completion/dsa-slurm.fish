# Completion of dsa-slurm for fish, written by: dsa-slurm completion fish
# The program itself is asked for the candidates, so that this file never becomes outdated.

function __dsa_slurm_candidates
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l current (commandline -ct)
    for line in ($program completion fish -- $words "$current" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path $current
            case ':directories'
                __fish_complete_directories $current
            case '*'
                echo $line
        end
    end
end

complete --command dsa-slurm --no-files --arguments '(__dsa_slurm_candidates)'
