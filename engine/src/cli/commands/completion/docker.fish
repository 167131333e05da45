# Completion of docker for fish:  docker completion fish | source
function __docker_candidates
    set -l words (commandline -opc) (commandline -ct)
    command $words[1] __complete -- $words[2..-1] 2>/dev/null
end
function __docker_wants_files
    __docker_candidates | string match -q -- ':files'
end
complete -c docker -f -a '(__docker_candidates | string match -v -- ":files")'
complete -c docker -n __docker_wants_files -F
