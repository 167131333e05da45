#!/bin/bash
# L'image est effacée entre les deux : la seconde exécution doit la télécharger de nouveau.
set -eu
docker run hello-world
docker rmi -f hello-world
docker run hello-world
