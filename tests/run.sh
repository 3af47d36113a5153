#!/usr/bin/env bash
# All tests, from a fresh machine on: Debian 12 or newer with Rust from rustup. Installs what else is needed, builds
# once for the tests and once for release, and prints the seconds of each step. The first failure ends it.
#
#   ./tests/run.sh
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/.."

# A shell that read no profile does not find rustup's programs.
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
[[ -t 1 ]] || export CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never
export DEBIAN_FRONTEND=noninteractive
target=${CARGO_TARGET_DIR:-target}
# All that is optional is in the dev build, and so tried; the release build has what users get.
features=keyring
work=$(mktemp -d)
server=
current=start
begun=$SECONDS

cleanup() {
    local status=$?
    if [[ -n $server ]]; then
        kill -KILL "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
    if ((status != 0)); then
        echo "FAILED: $current after $((SECONDS - begun)) s (exit $status)" >&2
    fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# step NAME COMMAND…
step() {
    current=$1
    begun=$SECONDS
    shift
    echo "== $current"
    "$@"
    echo "== $current: $((SECONDS - begun)) s"
}

# Downloads may fail for a moment: three tries.
thrice() {
    local try
    for try in 1 2 3; do
        "$@" && return 0
        echo "try $try of 3 failed: $*" >&2
        sleep "$((try * 3))"
    done
    return 1
}

packages() {
    local missing=()
    printf '#include <stdio.h>\nint main(void) { return 0; }\n' >"$work/probe.c"
    cc -o "$work/probe" "$work/probe.c" 2>/dev/null || missing+=(gcc libc6-dev)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
    command -v curl >/dev/null || missing+=(curl)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v dbus-run-session >/dev/null || missing+=(dbus)
    command -v gnome-keyring-daemon >/dev/null || missing+=(gnome-keyring)
    [[ -n ${SSL_CERT_FILE:-} || -e /etc/ssl/certs/ca-certificates.crt ]] || missing+=(ca-certificates)
    if ((${#missing[@]} > 0)); then
        if ! command -v apt-get >/dev/null; then
            echo "not found, and there is no apt-get to install it: ${missing[*]}" >&2
            return 1
        fi
        local root=()
        ((EUID == 0)) || root=(sudo -n --preserve-env=DEBIAN_FRONTEND)
        thrice "${root[@]}" apt-get update -q
        thrice "${root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
    fi
    if ! command -v cargo >/dev/null; then
        echo "cargo is not found; install Rust from https://rustup.rs" >&2
        return 1
    fi
    # The minimal profile of rustup has neither.
    if ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
        thrice rustup component add rustfmt clippy
    fi
    rustc --version
}

fetch() {
    thrice cargo fetch --locked --target "$(rustc -vV | sed -n 's/^host: //p')"
    # From here on a build that wants the network is a fault of ours.
    export CARGO_NET_OFFLINE=true
}

tests() {
    cargo test --locked --features "$features" 2>&1 | tee "$work/tests.log"
    awk '/^test result:/ { passed += $4; failed += $6 } END { print passed " passed, " failed " failed" }' \
        "$work/tests.log"
}

doc() {
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked --features "$features"
}

# ask ROUTE BODY: one call of the demo; prints the answer.
ask() {
    curl --silent --show-error --fail-with-body --noproxy '*' --max-time 20 \
        -H 'content-type: application/json' -d "$2" "$address$1"
}

# The README's first command, on a free port, in a home where nothing is set up.
demo() {
    local model='"model": "demo-echo", "messages": [{"role": "user", "content": "Hello, world"}]' try answer
    mkdir "$work/home"
    : >"$work/serve.log"
    env -i PATH="$PATH" HOME="$work/home" "$target/release/iflow2api" serve --demo --port 0 >"$work/serve.log" 2>&1 &
    server=$!
    address=
    for ((try = 0; try < 100; try++)); do
        address=$(sed -nE 's#.*listening on (http://[^ ]+).*#\1#p' "$work/serve.log")
        [[ -n $address ]] && break
        if ! kill -0 "$server" 2>/dev/null; then
            break
        fi
        sleep 0.1
    done
    if [[ -z $address ]]; then
        echo "the server did not start:" >&2
        cat "$work/serve.log" >&2
        return 1
    fi
    answer=$(ask /v1/chat/completions "{$model}")
    grep -q '"finish_reason":"stop"' <<<"$answer"
    answer=$(ask /v1/messages "{$model, \"max_tokens\": 100, \"stream\": true}")
    grep -q '^event: message_stop$' <<<"$answer"
    kill -INT "$server"
    wait "$server"
    server=
    echo "both faces answer, and an interrupt ends the server"
}

step "system packages" packages
step "cargo fetch" fetch
step "cargo fmt" cargo fmt --check
step "dev build" cargo build --locked --all-targets --features "$features"
step "cargo test" tests
step "cargo clippy" cargo clippy --all-targets --locked --features "$features" -- -D warnings
step "cargo doc" doc
step "keyring" tests/keyring.sh "$target/debug/iflow2api"
if [[ -x tests/clients.sh ]]; then
    step "real clients" tests/clients.sh "$target/debug/iflow2api"
fi
step "soak" tests/soak.sh "$target/debug/iflow2api"
step "release build" cargo build --release --locked
step "demo of the release build" demo
echo "all passed in $SECONDS s"
