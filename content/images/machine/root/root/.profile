# Lu par les shells de connexion de root.
if [ -n "$BASH_VERSION" ] && [ -r ~/.bashrc ]; then
  . ~/.bashrc
fi
