#!/bin/sh
# symbols.sh: the shared library exports what the public headers declare, and nothing else.
#
#     symbols.sh check NM LIBRARY        compares headers, runtime/cora.map and the library
#     symbols.sh write                   writes runtime/cora.map anew, after the headers were changed
set -eu
export LC_ALL=C
cd "$(dirname "$0")/.."
map=runtime/cora.map

declared()
{
    find runtime/include stdlib/include -name '*.h' | xargs awk -f tests/api.awk | awk '{ print $2 }' | sort -u
}

case $1 in
write)
    {
        echo "/* What libcora.so exports: tests/symbols.sh writes and checks this list. */"
        echo "CORA_0 {"
        echo "    global:"
        declared | sed 's/.*/        &;/'
        echo "    local:"
        echo "        *;"
        echo "};"
    } >"$map.new"
    mv "$map.new" "$map"
    ;;
check)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' INT TERM
    declared >"$work/declared"
    sed -n 's/^ *\(cora_[a-z0-9_]*\);$/\1/p' "$map" | sort >"$work/mapped"
    # The library's name for its version is no symbol of its own: type A.
    "$2" -D --defined-only "$3" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$work/exported"
    for place in mapped exported; do
        comm -23 "$work/declared" "$work/$place" | sed "s/\$/: declared in a public header, not $place/"
        comm -13 "$work/declared" "$work/$place" | sed "s/\$/: $place, declared in no public header/"
    done >"$work/differences"
    if [ -s "$work/differences" ]; then
        cat "$work/differences"
        echo "Where the headers are right: sh tests/symbols.sh write, and build again."
        exit 1
    fi
    echo "$(($(wc -l <"$work/declared"))) functions declared, listed in $map and exported"
    ;;
*)
    echo "symbols.sh: check or write" >&2
    exit 2
    ;;
esac
