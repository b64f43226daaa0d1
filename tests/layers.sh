#!/bin/sh
# layers.sh: no layer knows a higher one. LAYERS lists them, lowest first.
#
#     layers.sh NM OBJECTS        OBJECTS: a file of lines "layer object-file"
#
# From the sources: what each file includes. A private header belongs to the layer whose directory
# it lies in; a public one to the layer that defines the functions it declares.
# From the objects: which function of which layer each file calls, however it got to know it.
# Beside that: <ev.h> is the loop's alone, stdlib sees only the public headers, and no error is told
# by way of errno.
set -eu
export LC_ALL=C
nm=$1
objects=$2
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# "D layer symbol source" for what a file defines for others, "U ..." for what it needs.
while read -r layer object; do
    source=${object##*/cora_"$layer".dir/}
    "$nm" "$object" | awk -v layer="$layer" -v source="${source%.o}" '
        $(NF - 1) ~ /^[UwTDBRVWC]$/ {
            print $(NF - 1) ~ /[Uw]/ && NF == 2 ? "U" : "D", layer, $NF, source
        }'
done <"$objects" >"$work/symbols"

# "H header layer": whose each public header is.
find runtime/include stdlib/include -name '*.h' | xargs awk -f tests/api.awk >"$work/api"
awk '
    kind == "symbols" { if ($1 == "D") layer[$3] = $2 }
    kind == "api" {
        header = $1
        sub(/.*\/include\//, "", header)
        if (!($2 in layer)) {
            print "X " $1 ": declares " $2 ", which nothing defines"
        } else if (!(header in owner)) {
            owner[header] = layer[$2]
            because[header] = $2
        } else if (owner[header] != layer[$2]) {
            print "X " $1 ": declares " because[header] " of the layer " owner[header] \
                  " and " $2 " of the layer " layer[$2]
        }
    }
    END { for (header in owner) print "H", header, owner[header] }
' kind=symbols "$work/symbols" kind=api "$work/api" >"$work/headers"

find runtime stdlib -name '*.[ch]' | sort >"$work/files"
xargs grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null <"$work/files" >"$work/includes"
# Saved, restored and cleared it may be.
xargs grep -nE '(^|[^_[:alnum:]])errno[[:space:]]*=[^=]' /dev/null <"$work/files" |
    grep -vE 'errno = (0|saved_errno);|saved_errno = errno;' >"$work/errno" || true

awk '
    function complain(text) { print text; broken++ }
    function higher(user, used) { return rank[used] > rank[user] }

    kind == "files" { files[$1] }

    kind == "layers" && /^[a-z]/ {
        rank[$1] = ++layers
        if (layers == 1)
            lowest = $1
    }

    kind == "headers" { if ($1 == "X") complain(substr($0, 3)); else owner[$2] = $3 }

    # path:line:#include <x> or "x"
    kind == "includes" {
        split($0, part, ":")
        path = part[1]
        where = path ":" part[2]
        public = path ~ /\/include\//
        includes++
        if (public) {
            header = path
            sub(/.*\/include\//, "", header)
            user = header in owner ? owner[header] : path ~ /^stdlib/ ? "stdlib" : lowest
        } else {
            user = path
            sub(/^runtime\//, "", user)
            sub(/\/.*/, "", user)
        }
        if (!(user in rank)) {
            complain(where ": the layer " user " is not in LAYERS")
        } else if (match($0, /"[^"]*"/)) {
            name = substr($0, RSTART + 1, RLENGTH - 2)
            used = name
            sub(/\/.*/, "", used)
            if (public)
                complain(where ": a public header includes the private \"" name "\"")
            else if (user == "stdlib" && name ~ /\// && !(("stdlib/" name) in files))
                complain(where ": stdlib includes \"" name "\", and may only public headers and its own")
            else if (user != "stdlib" && !(used in rank))
                complain(where ": includes \"" name "\"; a private header is named \"layer/file.h\"")
            else if (user != "stdlib" && higher(user, used))
                complain(where ": the layer " user " includes \"" name "\" of the higher layer " used)
        } else if (match($0, /<[^>]*>/)) {
            name = substr($0, RSTART + 1, RLENGTH - 2)
            if (name == "ev.h" && path !~ /^runtime\/loop\//)
                complain(where ": includes <ev.h>, which only runtime/loop may")
            used = name in owner ? owner[name] : name == "cora.h" ? "stdlib" : lowest
            if (name ~ /^cora(\.h$|\/)/ && higher(user, used))
                complain(where ": the layer " user " includes <" name "> of the higher layer " used)
        }
    }

    kind == "errno" { complain($0 "   <- errors are returned; errno is left alone") }

    kind == "definitions" && $1 == "D" {
        defined[$3] = $2
        if ($3 !~ /^cora_|^__/)
            complain($4 ": defines " $3 " for all to see; such names begin with cora_")
    }

    kind == "uses" && $1 == "U" {
        uses++
        if ($3 in defined && higher($2, defined[$3]))
            complain($4 ": the layer " $2 " uses " $3 " of the higher layer " defined[$3])
        else if ($3 ~ /^cora_/ && !($3 in defined))
            complain($4 ": uses " $3 ", which nothing defines")
    }

    END {
        if (layers < 2 || includes < 50 || uses < 50)
            complain("too little to look at: " layers " layers, " includes " includes, " \
                     uses " uses of symbols")
        if (broken)
            exit 1
        print layers " layers, " includes " includes, " uses " uses of symbols: none goes up"
    }
' kind=files "$work/files" kind=layers LAYERS kind=headers "$work/headers" kind=includes "$work/includes" \
    kind=errno "$work/errno" kind=definitions "$work/symbols" kind=uses "$work/symbols"
