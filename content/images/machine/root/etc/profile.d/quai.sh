# Accueil des terminaux, et pages de manuel en français là où elles existent.
export MANOPT='--locale=fr'
export LESS='-R' PAGER=less EDITOR=nano
case $- in
  *i*)
    echo "Vous êtes root, dans votre propre machine : essayez tout, rien n'en sort."
    echo "Le bouton « Recommencer » de la page la remet dans son état de départ."
    ;;
esac
