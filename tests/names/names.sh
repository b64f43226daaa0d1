#!/bin/sh
# names.sh: the table at the end of DESIGN.md has a row for each name of asyncio (asyncio.txt, from
# CPython 3.14's modules), and each row tells the truth: its cora names stand in public headers, and its
# file is there and has the first of them.
set -eu
export LC_ALL=C
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
find runtime/include stdlib/include -name '*.h' -exec cat {} + |
    grep -oE '[A-Za-z_][A-Za-z0-9_]*' | sort -u >"$work/words"

# "N name", "C name identifier", "F name file identifier" for what each row says.
awk -F ' *[|] *' '
    /^\| asyncio \| cora \| where \|$/ { table = 1; next }
    !/^\|/ { table = 0 }
    table && $2 !~ /^(---|\*)/ {
        print "N", $2
        first = ""
        for (rest = $3; match(rest, /`(cora_|CORA_)[A-Za-z0-9_.]*`/); rest = substr(rest, RSTART + RLENGTH)) {
            identifier = substr(rest, RSTART + 1, RLENGTH - 2)
            count = split(identifier, parts, ".")
            for (i = 1; i <= count; i++)
                print "C", $2, parts[i]
            if (first == "")
                first = parts[count]
        }
        if (match($4, /\(.*\)/))
            print "F", $2, substr($4, RSTART + 1, RLENGTH - 2), first
    }' DESIGN.md >"$work/rows"

failed=0
complain()
{
    echo "$*"
    failed=1
}

sed -n 's/^N //p' "$work/rows" | sort >"$work/names"
sort tests/names/asyncio.txt >"$work/asyncio"
for name in $(comm -13 "$work/names" "$work/asyncio"); do
    complain "DESIGN.md: no row for asyncio's $name"
done
for name in $(comm -23 "$work/names" "$work/asyncio"); do
    complain "DESIGN.md: $name has a second row, or is no name of asyncio's"
done
while read -r kind name word identifier; do
    case $kind in
    C) grep -qxF "$word" "$work/words" || complain "$name: $word stands in no public header" ;;
    F)
        if [ ! -f "$word" ]; then
            complain "$name: there is no $word"
        elif [ -n "$identifier" ] && ! grep -qE "\b${identifier}_?\b" "$word"; then
            complain "$name: $identifier is not in $word"
        fi
        ;;
    esac
done <"$work/rows"
[ $failed = 0 ] && echo "$(wc -l <"$work/names") names of asyncio, each with its counterpart"
exit $failed
