#!/bin/sh
# index.sh FOLDER: every example has its twin, and its line in the folder's README.md, where every link
# leads somewhere.
set -u
cd "$1" || exit 1

failed=0
complain()
{
    echo "$*"
    failed=1
}

count=0
for file in tasks/*.c threads/*.c programs/*.c tasks/*.py threads/*.py programs/*.py; do
    [ -e "$file" ] || continue # no file matched
    case $file in
    *.c)
        count=$((count + 1))
        twin=${file%.c}.py
        ;;
    *) twin=${file%.py}.c ;;
    esac
    [ -e "$twin" ] || complain "$file has no twin, $twin"
    grep -qF "($file)" README.md || complain "README.md has no link to $file"
done
[ $count -gt 0 ] || complain "there are no examples"
for link in $(grep -o '](\([^)#]*\)' README.md | sed 's/^](//'); do
    [ -e "$link" ] || complain "README.md: there is no $link"
done
[ $failed = 0 ] && echo "$count examples, each with its twin and its line"
exit $failed
