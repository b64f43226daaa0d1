#!/bin/sh
# await.sh PROGRAM DESIGN.md: the walk through one await in DESIGN.md tells what gdb sees in a debug
# build: where the program comes by, and what is in the ready queue then.
set -u
program=$1 design=$2
here=$(dirname "$0")

skip()
{
    echo "skipped: $*"
    exit 77
}

[ -z "${CORA_SKIP_GDB-}" ] || skip "$CORA_SKIP_GDB"
command -v gdb >/dev/null || skip 'there is no gdb'

run_gdb() { DEBUGINFOD_URLS='' gdb -nx -batch -iex 'set width 0' "$@" 2>&1; }

run_gdb -ex 'python print("python " + "works")' | grep -q '^python works' || skip 'this gdb has no Python'
run_gdb -ex run --args true | grep -q 'exited normally' || skip 'gdb cannot run a program here'

work=$(mktemp -d) || exit 1
trap 'rm -r "$work"' EXIT
run_gdb -x "$here/await.py" "$program" >"$work/output"
sed -n 's/^at //p' "$work/output" >"$work/seen"
awk -F '  +' '
    /^where  +ready queue/ { table = 1; next }
    /^```/ { table = 0 }
    table && $1 != "" { print $1 ": " $2 }' "$design" >"$work/told"
if ! [ -s "$work/seen" ] || ! diff -u "$work/told" "$work/seen"; then
    echo "DESIGN.md tells of one await what gdb does not see; all it said:"
    cat "$work/output"
    exit 1
fi
echo "$(wc -l <"$work/seen") places, as told"
