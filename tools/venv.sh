#!/bin/sh
# Make a virtual environment and install into it: tools/venv.sh FOLDER WHAT...
# Does nothing when the folder holds all of it and is newer than what it was made from.
set -eu

folder=$1
shift
cd "$(dirname "$0")/.."

made_from="tools/venv.sh constraints.txt requirements-dev.txt pyproject.toml plugins/*/pyproject.toml"
holds_all() {
    for what in "$@"; do
        grep -qxF -e "$what" "$folder/made" || return 1
    done
}
if [ -f "$folder/made" ] && holds_all "$@" && [ -z "$(find $made_from -newer "$folder/made")" ]; then
    exit 0
fi

fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

python=
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && fits "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "error: no Python 3.11, 3.12 or 3.13 found: install one, or name it with PYTHON=/path/to/python" >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    # Debian ships Python without what a virtual environment needs.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    else
        echo "error: this Python cannot make virtual environments: sudo apt-get install python3-venv" >&2
        exit 2
    fi
fi

# What takes minutes says now and then that it goes on.
install() {
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" &
    pip=$! seconds=0
    trap 'kill "$pip" 2>/dev/null; exit 130' INT TERM  # what runs behind a shell does not hear Ctrl-C
    while kill -0 "$pip" 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        [ $((seconds % 15)) -ne 0 ] || echo "  $seconds s: $(du -sm "$folder" | cut -f1) MB in $folder"
    done
    trap - INT TERM
    wait "$pip"
}

echo "setting up $folder ($("$python" --version), $*) ..."
rm -f "$folder/made"
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
install --upgrade "pip>=24"
install -c constraints.txt "$@"
printf '%s\n' "$@" >"$folder/made"
