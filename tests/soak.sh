#!/usr/bin/env bash
# Mixed traffic with 5 % faults through a built binary, for SOAK_MINUTES (2 by default); SOAK_SEED repeats a run. Fails on
# any lost or corrupted answer, leaked descriptor or growing memory. First it shows that it can fail.
#
#   tests/soak.sh [PATH_TO_BINARY]
set -euo pipefail
binary=$(realpath "${1:-target/debug/iflow2api}")
cd "$(dirname "$0")/soak"
export PYTHONDONTWRITEBYTECODE=1

python3 main.py "$binary" --seconds 2 --seed 1 --sabotage
seconds=$(python3 -c 'import sys; print(float(sys.argv[1]) * 60)' "${SOAK_MINUTES:-2}")
python3 main.py "$binary" --seconds "$seconds" ${SOAK_SEED:+--seed "$SOAK_SEED"}
