#!/bin/sh
# compare.sh TWIN.py PROGRAM...: runs the example and its twin; both are to print the same on stdout,
# nothing on stderr, and to end with the same status.
set -u
twin=$1
shift

if ! command -v python3 >/dev/null; then
    echo "skipped: there is no python3"
    exit 77
fi
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "skipped: python3 is older than 3.11: $(python3 --version)"
    exit 77
fi

folder=$(mktemp -d) || exit 1
trap 'rm -r "$folder"' EXIT

# run NAME COMMAND...: leaves what it printed in $folder/NAME.out and .err.
run()
{
    name=$1
    shift
    "$@" >"$folder/$name.out" 2>"$folder/$name.err" </dev/null
    echo "status $?" >>"$folder/$name.out"
    # What valgrind does not know of the system; its errors are in lines of another form.
    sed -i '/^--[0-9]*-- /d' "$folder/$name.err"
    [ ! -s "$folder/$name.err" ] || {
        echo "on stderr, by: $*"
        cat "$folder/$name.err"
        return 1
    }
}

failed=0
run python python3 "$twin" || failed=1
run c "$@" || failed=1
if ! cmp -s "$folder/python.out" "$folder/c.out"; then
    echo "they do not print the same: - is $twin, + is $*"
    diff -u "$folder/python.out" "$folder/c.out" | sed 1,2d
    failed=1
fi
[ $failed != 0 ] || cat "$folder/c.out"
exit $failed
