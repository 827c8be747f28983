#!/bin/sh
# Entry point of Guichet's own container image: a fresh volume belongs to root, the program shall not run as root.
# The groups given by `docker run --group-add` are kept: one of them may open an engine's socket.
set -eu

if [ "$(id -u)" != 0 ]; then
    exec guichet "$@"
fi
chown guichet:guichet "$GUICHET_DATA_DIR"
HOME=$GUICHET_DATA_DIR exec setpriv --reuid guichet --regid guichet --keep-groups --inh-caps=-all --no-new-privs guichet "$@"
