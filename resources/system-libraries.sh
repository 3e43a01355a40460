#!/bin/sh
# Libraries that the Qt of PyQt5 loads and a bare Debian or Ubuntu lacks.
# usage: system-libraries.sh run|test    installs what is missing when root, else prints the line to type.
set -eu

run="libglib2.0-0 libgl1 libfontconfig1 fonts-dejavu-core libdbus-1-3 libxcb-icccm4 libxcb-image0 libxcb-keysyms1
libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1 libxkbcommon-x11-0"
test="$run xvfb"

command -v dpkg-query >/dev/null 2>&1 || exit 0
case "${1:-run}" in
test) wanted=$test ;;
*) wanted=$run ;;
esac

missing=""
for package in $wanted; do
    # A later Debian calls some of them by another name (libglib2.0-0t64): ask for who provides it.
    if ! dpkg-query -W -f '${Status} ${Provides}\n' "$package" "${package}t64" 2>/dev/null | grep -q '^install ok installed'; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    echo "installing the system libraries that the window needs:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # one word a package
    apt-get install -qq -y --no-install-recommends $missing >/dev/null 2>&1 || {
        apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing >/dev/null
    }
else
    echo "The window needs system libraries that are missing here. Please type:" >&2
    echo "    sudo apt install$missing" >&2
    [ "${1:-run}" = test ] && exit 1
    exit 0
fi
