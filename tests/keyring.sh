#!/usr/bin/env bash
# Keys and logins in the system's keyring: GNOME's, on a bus of its own, through a binary built with that feature.
#
#   tests/keyring.sh PATH_TO_BINARY
set -euo pipefail

if [[ $# -ne 1 ]]; then
    echo "usage: tests/keyring.sh PATH_TO_BINARY" >&2
    exit 2
fi
if [[ -z ${KEYRING_BUS:-} ]]; then
    KEYRING_BUS=$(mktemp -d)
    export KEYRING_BUS
    trap 'rm -rf "$KEYRING_BUS"' EXIT
    # The bus complains about limits that a container does not let it raise.
    timeout -k 5 120 dbus-run-session -- "$0" "$1" 2> >(grep -v 'Failed to set fd limit' >&2)
    exit
fi

program=$(realpath "$1")
home=$KEYRING_BUS/home
mkdir "$home"
key=sk-kept-in-the-keyring-0123456789
other=sk-another-one-9876543210
file=$home/config/iflow2api/credentials.json

run() {
    env -i PATH="$PATH" HOME="$home" XDG_CONFIG_HOME="$home/config" XDG_DATA_HOME="$home/data" \
        XDG_CACHE_HOME="$home/cache" DBUS_SESSION_BUS_ADDRESS="${bus-$DBUS_SESSION_BUS_ADDRESS}" \
        IFLOW2API_AUTH_STORE="${store-keyring}" "$program" "$@"
}

check() {
    local name=$1
    shift
    if ! "$@"; then
        echo "not ok - $name" >&2
        exit 1
    fi
    echo "ok - $name"
}

holds() { grep -q -- "$1" "$file"; }
lacks() { ! grep -q -- "$1" "$file"; }

# A copy has none of the capabilities of the packaged file, with which it cannot be started in some containers.
cp "$(command -v gnome-keyring-daemon)" "$KEYRING_BUS/gnome-keyring-daemon"
printf 'a password' | env HOME="$home" XDG_DATA_HOME="$home/data" XDG_RUNTIME_DIR="$KEYRING_BUS" \
    "$KEYRING_BUS/gnome-keyring-daemon" --unlock --components=secrets >/dev/null 2>&1

said=$(run auth login zai --with-token --no-check <<<"$key" 2>&1)
check "it says where the key is" grep -q "stored in the system's keyring" <<<"$said"
check "the file does not hold it" lacks "$key"
check "the file says where it is" holds '"store": "keyring"'
check "the key is used" test "$(run config get --show-key upstream.zai.key)" = "$key"
check "\`auth status\` finds it" grep -q "from the system's keyring" <<<"$(run auth status)"
run auth login groq --with-token --no-check <<<"$other" 2>/dev/null
check "a second key joins the first" test "$(run auth status --json | grep -c '"signed_in": true')" = 2

# Without a bus nothing can be read, and nothing is lost.
bus=unix:path=/nonexistent
check "without the keyring that is said" grep -q "keyring cannot be used" <<<"$(run auth status 2>&1 || true)"
if run auth login deepseek --with-token --no-check <<<"$other" 2>/dev/null; then
    check "a key that the keyring cannot take is not put over those that it has" false
fi
unset bus
check "all is there again with it" test "$(run auth status --json | grep -c '"signed_in": true')" = 2

store=file
run auth logout groq 2>/dev/null
check "back in the file, the other key is there" holds "$key"
check "the file is the owner's alone" test "$(stat -c %a "$file")" = 600
store=keyring
run auth logout zai 2>/dev/null
check "signed out, the status is 4" test "$(run auth status >/dev/null 2>&1; echo $?)" = 4

bus=unix:path=/nonexistent
rm "$file"
said=$(run auth login zai --with-token --no-check <<<"$key" 2>&1)
check "a key that the keyring does not take goes into the file, and that is said" \
    grep -q 'keys and logins go into' <<<"$said"
check "and is used from there" test "$(run config get --show-key upstream.zai.key)" = "$key"
