#!/bin/sh
# Finds out which system packages are missing and installs them where that needs no password.
# Where it may not, it prints the exact line to run and exits with 3.
#   tools/system_packages.sh PYTHON
set -eu
python=$1
list="$(dirname "$0")/../resources/setup/system-packages.txt"

has_library() {
    # /sbin is not on everybody's PATH.
    PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -qF "	$1 "
}

has_font() {
    find /usr/share/fonts /usr/local/share/fonts "${HOME:-/root}/.fonts" "${HOME:-/root}/.local/share/fonts" \
        \( -name '*.ttf' -o -name '*.otf' -o -name '*.ttc' -o -name '*.pfb' \) -print 2>/dev/null | grep -q .
}

is_there() {
    case "$1" in
        library:*) has_library "${1#library:}" ;;
        command:*) command -v "${1#command:}" >/dev/null 2>&1 ;;
        module:*) "$python" -c "import ${1#module:}" >/dev/null 2>&1 ;;
        font:*) has_font ;;
        *) echo "system-packages.txt: what is $1?" >&2; exit 1 ;;
    esac
}

if [ "$(uname -s)" != Linux ]; then
    exit 0 # Qt's wheels bring everything on macOS and Windows.
fi

missing=""
while read -r package _ probe; do
    case "$package" in '' | '#'*) continue ;; esac
    is_there "$probe" || missing="$missing $package"
done <"$list"

[ -n "$missing" ] || exit 0

line="apt-get update && apt-get install -y --no-install-recommends$missing"
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing from this system (by their names on Debian 12):$missing" >&2
    echo "Install them with your system's package manager." >&2
    exit 3
fi
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    echo "These system packages are missing:$missing" >&2
    echo "Run this line once, as an administrator:" >&2
    echo "    sudo sh -c '$line'" >&2
    exit 3
fi
echo "Installing the system packages$missing"
$as_root env DEBIAN_FRONTEND=noninteractive sh -c "$line"
