# A zsh at a terminal: each line of standard input is typed there, then Tab; what the line has become is printed.
zmodload zsh/zpty
zpty shell zsh -f -i

# Reads what the terminal shows until a word is there.
wait_for() {
    local shown= part
    while [[ $shown != *"$1"* ]]; do
        zpty -r shell part || return
        shown+=$part
    done
    REPLY=$shown
}

# Control-X shows the line between signs that no line here has.
zpty -w shell 'PS1= RPS1= PROMPT_EOL_MARK=; unsetopt zle_bracketed_paste beep; autoload -U compinit; compinit -u -D'
zpty -w shell "source <(docker completion zsh)"
zpty -w shell 'show() { print -r -- "<${BUFFER}>"; BUFFER= }; zle -N show; bindkey "^X" show'
# In two parts: the terminal echoes what is typed.
zpty -w shell 'print -r -- rea""dy'
wait_for ready
while IFS= read -r line; do
    zpty -w -n shell "$line"$'\t\x18'
    wait_for '>'
    print -r -- "$line: ${${REPLY##*<}%%>*}"
done
