#!/bin/sh
# The table of CPython's tests and ours: parity.sh write | check [BUILD_DIR] | list
#
# names.txt      CPython 3.14's test names that apply: file, class, name
# test_*.c       our tests: TEST(Class_test_name) in the file of the same name, or in one of several,
#                test_events-server.c beside test_events.c
# not_in_c.txt   file, class, name, and in one line why it cannot apply to C
# PARITY.md      a row for each name, written by `write`
#
# `check` fails where a name has neither, or both, where a test or a reason has no name, where
# PARITY.md is not what `write` would write, and where ctest does not know the test.
set -eu
cd "$(dirname "$0")"
export LC_ALL=C

ours()
{
    for file in test_*.c; do
        [ -e "$file" ] || continue
        name=${file%.c}
        sed -n "s/^TEST(\\([A-Za-z0-9_]*\\)).*/${name%%-*} \\1/p" "$file"
    done
}

rows()
{
    { ours | sed 's/^/T /'; sed '/^#/d; /^$/d; s/^/R /' not_in_c.txt; sed 's/^/N /' names.txt; } |
        awk '
        $1 == "T" { test[$2 " " $3] = 1; next }
        $1 == "R" { key = $2 " " $3 "_" $4; why = $0; sub(/^R [^ ]+ [^ ]+ [^ ]+ /, "", why)
                    reason[key] = why; next }
        {
            key = $2 " " $3 "_" $4; name[key] = 1; all++
            if (key in test && key in reason) print "! " key " has a test and a reason"
            if (key in test) { same++; print "| " $2 " | " $3 " | " $4 " | `parity." $2 "." $3 "_" $4 "` |" }
            else if (key in reason) { not++; print "| " $2 " | " $3 " | " $4 " | " reason[key] " |" }
            else print "! " key " has neither a test nor a reason"
        }
        END {
            for (key in test) if (!(key in name)) print "! " key " is no name of CPython'\''s"
            for (key in reason) if (!(key in name)) print "! " key " (a reason) is no name of CPython'\''s"
            printf "= %d names: %d tests of ours, %d that cannot apply to C\n", all, same, not
        }'
}

page()
{
    cat <<EOF
# Parity with CPython's asyncio tests

Written by \`tests/parity/parity.sh write\`. Each of CPython 3.14's tests that applies, and the test of
the same name here that shows the same behaviour through the public headers, or why there is none.

$(rows | sed -n 's/^= //p').

| file | class | test | ours |
| --- | --- | --- | --- |
EOF
    rows | grep '^|'
}

case ${1:-check} in
write)
    page >PARITY.md
    rows | grep -v '^|'
    ;;
list)
    rows | grep -v '^|'
    ;;
check)
    status=0
    rows | grep '^!' && status=1
    page | cmp -s - PARITY.md || { echo "PARITY.md is old: sh tests/parity/parity.sh write"; status=1; }
    if [ -n "${2:-}" ]; then
        known=$(mktemp)
        trap 'rm -f "$known"' EXIT
        ctest --test-dir "$2" -N | sed -n 's/^ *Test *#[0-9]*: //p' >"$known"
        ours | while read -r file name; do
            grep -qx "parity.$file.$name" "$known" || echo "! ctest does not know parity.$file.$name"
        done | grep . && status=1
    fi
    grep -n 'skip()' test_*.c && { echo "a test that is skipped shows nothing"; status=1; }
    rows | sed -n 's/^= //p'
    exit $status
    ;;
*)
    echo "parity.sh write | check [BUILD_DIR] | list" >&2
    exit 2
    ;;
esac
