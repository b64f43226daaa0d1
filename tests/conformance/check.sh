#!/bin/sh
# check.sh SCENARIO [LAUNCHER...]: the scenarios here must give the traces that CPython 3.14 gave.
# To write traces.txt anew, after a change of the scenarios: node run.mjs scenarios/*.txt >traces.txt
set -eu
runner=$1
shift
cd "$(dirname "$0")"
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$@" "$runner" scenarios/*.txt >"$out"
if ! cmp -s traces.txt "$out"; then
    diff traces.txt "$out" | head -20
    echo "the traces are not CPython's"
    exit 1
fi
echo "$(grep -c '^# ' traces.txt) of $(ls scenarios/*.txt | wc -l) traces equal CPython's"
