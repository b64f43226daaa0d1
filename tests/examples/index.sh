#!/bin/sh
# index.sh FOLDER: every example has its twin, file by file where it is a folder, and its line in the
# folder's README.md, where every link leads somewhere.
set -u
cd "$1" || exit 1

failed=0
complain()
{
    echo "$*"
    failed=1
}

count=0
for file in [!d]*/*.c [!d]*/*.py programs/*/*.c programs/*/*.py; do # all but the demo
    [ -e "$file" ] || continue # no file matched
    case $file in
    *.c) twin=${file%.c}.py ;;
    *) twin=${file%.py}.c ;;
    esac
    [ -e "$twin" ] || complain "$file has no twin, $twin"
    case $file in
    programs/*/main.*) ;;
    programs/*/*) continue ;; # the README leads to where the program starts
    esac
    [ "$file" = "${file%.c}" ] || count=$((count + 1))
    grep -qF "($file)" README.md || complain "README.md has no link to $file"
done
for file in toy_loop/*.c; do
    [ "$(wc -l <"$file")" -lt 200 ] || complain "$file is no toy any more: it has 200 lines or more"
done
[ $count -gt 0 ] || complain "there are no examples"
for link in $(grep -o '](\([^)#]*\)' README.md | sed 's/^](//'); do
    [ -e "$link" ] || complain "README.md: there is no $link"
done
[ $failed = 0 ] && echo "$count examples, each with its twin and its line"
exit $failed
