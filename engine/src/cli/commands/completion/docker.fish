# Completion of docker and quai for fish:  docker completion fish | source
function __docker_candidates
    set -l words (commandline -opc) (commandline -ct)
    command $words[1] __complete -- $words[2..-1] 2>/dev/null
end
function __docker_wants_files
    __docker_candidates | string match -q -- ':files'
end
for program in docker quai
    complete -c $program -f -a '(__docker_candidates | string match -v -- ":files")'
    complete -c $program -n __docker_wants_files -F
end
