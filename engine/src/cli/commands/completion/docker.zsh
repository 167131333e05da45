#compdef docker quai
# Completion of docker and quai for zsh:  source <(docker completion zsh)
_docker() {
    local -a described
    local line word about files=
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            files=yes
            continue
        fi
        word=${line%%$'\t'*}
        about=${line#*$'\t'}
        # A colon in a name would end it.
        word=${word//:/\\:}
        if [[ $line == *$'\t'* ]]; then
            described+=("$word:$about")
        else
            described+=("$word")
        fi
    done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( ${#described} )) && _describe docker described
    [[ -n $files ]] && _files
}
if [[ $funcstack[1] == _docker ]]; then
    _docker "$@"
else
    compdef _docker docker quai
fi
