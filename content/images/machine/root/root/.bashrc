# Lu par chaque bash interactif de root.
PS1='\u@\h:\w\$ '
HISTSIZE=5000
HISTCONTROL=ignoredups
shopt -s checkwinsize
alias ls='ls --color=auto'
alias ll='ls -l'
alias grep='grep --color=auto'
if [ -r /usr/share/bash-completion/bash_completion ]; then
  . /usr/share/bash-completion/bash_completion
fi
