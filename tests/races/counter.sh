#!/bin/sh
# counter.sh: a race is found where it can be found, and its mend counts exactly.
#
#     counter.sh yes|no COMMAND...        whether the program is built with ThreadSanitizer; the
#                                         program, behind whatever runs it
set -eu
checked=$1
shift

mended=$("$@" mended)
[ "$mended" = "200000 of 200000" ] || {
    echo "with a lock: $mended"
    exit 1
}
echo "with a lock: $mended"
[ "$checked" = yes ] || exit 0

# 66 is how it ends a program in which it has found something.
status=0
report=$(TSAN_OPTIONS="exitcode=66" "$@" race 2>&1) || status=$?
for text in "WARNING: ThreadSanitizer: data race" "#0 count " "counter.c" "global 'sum'"; do
    case $report in
    *"$text"*) ;;
    *)
        echo "no '$text' in the report of a race:"
        echo "$report"
        exit 1
        ;;
    esac
done
[ $status = 66 ] || {
    echo "the race was reported, and the exit status was $status"
    exit 1
}
echo "without: ThreadSanitizer reports the race, and where"
