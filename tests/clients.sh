#!/usr/bin/env bash
# The tests with real clients and servers: llama.cpp's server, Claude Code, the SDKs of both APIs, and a certified
# authorization server, with a built binary.
#
#   tests/clients.sh PATH_TO_BINARY
#
# Installs the clients into target/clients from the package registries (pinned in tests/clients), then works on the
# loopback interface only. Ends with `N passed, 0 failed`, or non-zero at the first failure; `KEEP_GOING=1` goes on
# after one, for the one who looks for faults.
set -euo pipefail

if [[ $# -ne 1 ]]; then
    echo "usage: tests/clients.sh PATH_TO_BINARY" >&2
    exit 2
fi
binary=$(realpath "$1")
cd "$(dirname "$0")/.."
scripts=$PWD/tests/clients
home=$PWD/target/clients
mkdir -p "$home/node"
work=$(mktemp -d)
passed=0
failed=0
children=()

cleanup() {
    local child
    for child in "${children[@]}"; do
        kill "$child" 2>/dev/null || true
    done
    local try
    for ((try = 0; try < 50; try++)); do
        [[ -z $(jobs -pr) ]] && break
        sleep 0.1
    done
    for child in $(jobs -pr); do
        kill -KILL "$child" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() {
    echo "FAILED: $1" >&2
    shift
    local log
    for log in "$@"; do
        echo "--- the end of $(basename "$log")" >&2
        tail -n 15 "$log" >&2
    done
    failed=$((failed + 1))
    if [[ ${KEEP_GOING:-0} != 1 ]]; then
        echo "$passed passed, $failed failed"
        exit 1
    fi
}

# step NAME COMMAND…: run one bounded command, count the checks it prints and say how long it took.
step() {
    local name=$1 begun=$SECONDS log=$work/$1.log
    shift
    local status=0
    timeout -k 5 150 "$@" >"$log" 2>&1 </dev/null || status=$?
    cat "$log"
    passed=$((passed + $(grep -c '^ok - ' "$log" || true)))
    if ((status != 0)) || grep -q '^not ok - ' "$log"; then
        fail "$name (exit $status)" "${server_log:-/dev/null}"
    fi
    echo "== $name: $((SECONDS - begun)) s"
}

# Downloads may fail for a moment: three tries.
thrice() {
    local try
    for try in 1 2 3; do
        timeout -k 5 900 "$@" && return 0
        echo "try $try of 3 failed: $1" >&2
    done
    return 1
}

# start NAME PATTERN COMMAND…: run a server in the background until the end of the script, and wait, for a bounded
# time, for the line that names its address; sets `address` and `server_log`.
start() {
    local name=$1 log=$work/$1.server.log
    shift
    : >"$log"
    "$@" >"$log" 2>&1 </dev/null &
    local child=$!
    children+=("$child")
    address=
    server_log=$log
    local try
    for ((try = 0; try < 300; try++)); do
        address=$(sed -nE 's#.*listening on (http://127\.0\.0\.1:[0-9]+).*#\1#p' "$log" | tail -n 1)
        [[ -n $address ]] && return 0
        kill -0 "$child" 2>/dev/null || break
        sleep 0.1
    done
    fail "$name did not say where it listens" "$log"
    return 0
}

install() {
    local begun=$SECONDS
    if [[ ! -x $home/venv/bin/python ]]; then
        python3 -m venv "$home/venv"
    fi
    local pip=("$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps)
    thrice "${pip[@]}" -r "$scripts/requirements.txt"
    # The AI SDK and Claude Code want Node 22.
    local version
    version=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
    if ((version < 22)); then
        thrice "${pip[@]}" -r "$scripts/requirements-node.txt"
    fi
    export PATH="$home/venv/bin:$PATH"
    cp "$scripts"/{package.json,package-lock.json,.npmrc} "$home/node/"
    # Already as the lock says? Then nothing is unpacked again.
    if ! cmp -s "$scripts/package-lock.json" "$home/node/installed-lock.json"; then
        (cd "$home/node" && thrice npm ci --ignore-scripts --no-progress --loglevel=error)
        cp "$scripts/package-lock.json" "$home/node/installed-lock.json"
    fi
    # Beside node_modules, so that Node finds the packages.
    cp "$scripts"/*.mjs "$home/node/"
    echo "== install: $((SECONDS - begun)) s, Node $(node --version)"
}

# Nothing of this machine's own settings reaches the program: an empty home, no proxy, no provider's key.
mkdir -p "$work/home"
gateway=(env -i PATH="$PATH" HOME="$work/home" XDG_CONFIG_HOME="$work/home/config" XDG_DATA_HOME="$work/home/data"
    XDG_CACHE_HOME="$work/home/cache")
# Nor the clients: no proxy, no key.
client=(env -u ANTHROPIC_API_KEY -u OPENAI_API_KEY -u HTTP_PROXY -u http_proxy -u ALL_PROXY -u all_proxy
    PYTHONDONTWRITEBYTECODE=1)

install
begun=$SECONDS
python=$home/venv/bin/python
claude=$(echo "$home"/node/node_modules/@anthropic-ai/claude-code-*/claude)

start golden "$python" "$scripts/golden_server.py" tests/golden/stream
step golden_python "${client[@]}" GOLDEN_URL="$address" "$python" "$scripts/golden_python.py"
step golden_node "${client[@]}" GOLDEN_URL="$address" node "$home/node/golden_node.mjs"

start upstream "$python" "$scripts/upstream.py"
upstream=$address
start serve "${gateway[@]}" IFLOW2API_BASE_URL="$upstream/v1" IFLOW2API_API_KEY=test-key "$binary" serve --port 0
client+=(UPSTREAM_URL="$upstream" GATEWAY_URL="$address")
step openai_python "${client[@]}" "$python" "$scripts/openai_python.py"
step anthropic_python "${client[@]}" "$python" "$scripts/anthropic_python.py"
step openai_node "${client[@]}" node "$home/node/openai_node.mjs"
step anthropic_node "${client[@]}" node "$home/node/anthropic_node.mjs"
step ai_sdk_node "${client[@]}" node "$home/node/ai_sdk_node.mjs"
step claude_code "${client[@]}" "$python" "$scripts/claude_code.py" "$claude" "$binary"

start strict "$python" "$scripts/strict_upstream.py"
strict=(UPSTREAM_URL="$address")
sed "s#STRICT#$address#" "$scripts/strict.toml" >"$work/strict.toml"
start serve-strict "${gateway[@]}" "$binary" --config "$work/strict.toml" serve --port 0
strict+=(GATEWAY_URL="$address")
step native_python "${client[@]}" "${strict[@]}" "$python" "$scripts/native_python.py"
step native_node "${client[@]}" "${strict[@]}" node "$home/node/native_node.mjs"
step thoughts_python "${client[@]}" "${strict[@]}" "$python" "$scripts/thoughts_python.py"
step thoughts_node "${client[@]}" "${strict[@]}" node "$home/node/thoughts_node.mjs"
step claude_code_native "${client[@]}" "${strict[@]}" "$python" "$scripts/claude_code_native.py" "$claude"

# These start the program themselves, with settings of their own.
own=("${client[@]}" PROGRAM="$binary" LOG_FOLDER="$work")
step fallback_python "${own[@]}" "$python" "$scripts/fallback_python.py"
step ways_python "${own[@]}" "$python" "$scripts/ways_python.py"
# Not by its name: that may be a script of the Python package, which would leave Node behind when it is ended.
start oidc "$(node -p process.execPath)" "$home/node/oidc_server.mjs"
step auth_python "${own[@]}" OIDC_URL="$address" "$python" "$scripts/auth_python.py"

start serve-demo "${gateway[@]}" "$binary" serve --demo --port 0
step demo_python "${client[@]}" GATEWAY_URL="$address" "$python" "$scripts/demo_python.py"

step environment_python "${gateway[@]}" PYTHONDONTWRITEBYTECODE=1 \
    "$binary" serve --demo -- "$python" "$scripts/environment_python.py"

start llama "$python" "$scripts/llama_server.py" "$home/model"
llama=$address
start serve-llama "${gateway[@]}" "$binary" serve --upstream "$llama" --port 0
step llama_python "${client[@]}" GATEWAY_URL="$address" "$python" "$scripts/llama_python.py"
printf '[upstream.llamacpp]\nbase_url = "%s"\nmax_output = 8\n' "$llama" >"$work/pages.toml"
start serve-pages "${gateway[@]}" "$binary" --config "$work/pages.toml" serve --port 0
step pages_python "${client[@]}" GATEWAY_URL="$address" LLAMA_URL="$llama" "$python" "$scripts/pages_python.py"
step presets_python "${own[@]}" LLAMA_URL="$llama" "$python" "$scripts/presets_python.py"
# shellcheck disable=SC2016
# Neither keys nor prompts nor answers belong into a log.
step logs bash -c '! grep -HnE "test-key|a-caller-key|Say hello|Hello from the scripted" "$0"/serve*.server.log &&
    echo "ok - the logs hold no key, prompt or answer"' "$work"

step chat "${gateway[@]}" IFLOW2API_API_KEY=test-key PYTHONDONTWRITEBYTECODE=1 UPSTREAM_URL="$upstream" \
    LLAMA_URL="$llama" "$python" "$scripts/chat.py" "$binary"

echo "all in $((SECONDS - begun)) s after installation"
echo "$passed passed, $failed failed"
((failed == 0))
