#!/bin/sh
# Makes .venv with the locked versions and the project itself, editable. Runs again only what changed.
set -eu
cd "${0%/*}/.."

fail() {
    printf 'corpusmill: %s\n' "$1" >&2
    exit 1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3 python3.14 python3.13 python3.12 python3.11
    fi
    for candidate in "$@"; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s' "$candidate"
            return
        fi
    done
}

# A virtual environment whose interpreter is gone (an upgraded or moved Python) is made again.
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    [ -n "$python" ] ||
        fail "Python 3.11 or newer is needed and ${PYTHON:-python3} is not: install it, or say where it is with PYTHON=/path/to/python3.11 make setup."
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
        fail "$python lacks its venv module: install the package that brings it (Debian and Ubuntu: python3-venv), then run make setup again."
    "$python" -m venv --clear .venv
fi

# Byte code is made of what is imported, then; of all that is installed it takes a minute.
install() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-compile "$@"
}

# The lock is compared by content, so that a change of pyproject.toml alone asks the package index for nothing.
if ! cmp -s requirements.lock .venv/requirements.lock; then
    echo "Installing the locked versions into .venv; the first time takes minutes."
    install -r requirements.lock
    cp requirements.lock .venv/requirements.lock
fi
install --no-deps --no-build-isolation --editable .
touch .venv/.setup
echo "Ready: .venv/bin/corpusmill"
