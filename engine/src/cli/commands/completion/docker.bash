# Completion of docker and quai for bash:  source <(docker completion bash)
_docker_completion() {
    local line=${COMP_LINE:0:COMP_POINT} files= candidate
    local -a words
    read -ra words <<<"$line"
    # After a space a new word begins.
    [[ $line == *[[:space:]] ]] && words+=("")
    local current=${words[-1]}
    COMPREPLY=()
    while IFS= read -r candidate; do
        if [[ $candidate == :files ]]; then
            files=yes
        else
            COMPREPLY+=("${candidate%%$'\t'*}")
        fi
    done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
    if [[ $files ]]; then
        local value=${current#--*=}
        while IFS= read -r candidate; do
            COMPREPLY+=("$candidate")
        done < <(compgen -f -- "$value")
        compopt -o filenames 2>/dev/null
    fi
    # Readline cuts words at these characters: what stands before the cut is there already.
    local cut at
    for cut in : =; do
        if [[ $current == *"$cut"* && $COMP_WORDBREAKS == *"$cut"* ]]; then
            local kept=${current%"${current##*"$cut"}"}
            for at in "${!COMPREPLY[@]}"; do
                COMPREPLY[at]=${COMPREPLY[at]#"$kept"}
            done
        fi
    done
}
complete -F _docker_completion docker quai
