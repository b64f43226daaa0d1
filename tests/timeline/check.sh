#!/bin/sh
# check.sh: a page of `./cora timeline` in a real browser.
#
#     check.sh BROWSER TRACED        TRACED: the program of traced.c
set -eu
browser=$1
traced=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# look NAME [MORE]: the page of NAME.json, and of other traces, with the checks behind it.
look()
{
    (cd "$work" && "$here/../../cora" timeline "$1.json" ${2:+"$2.json"} >/dev/null)
    if grep -n 'https\?://' "$work/$1.html"; then
        echo "the page names another place"
        exit 1
    fi
    {
        sed '/^<\/body>$/,$d' "$work/$1.html"
        echo '<script>'
        cat "$here/check.js"
        printf '</script>\n</body>\n</html>\n'
    } >"$work/check.html"
    # In a container there is no sandbox to be had, and what it shows is ours.
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" \
        --window-size=1400,900 --dump-dom "file://$work/check.html" \
        >"$work/dom" 2>"$work/said" || true
    sed -n 's/^timeline: //p' "$work/dom" | sed 's/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g' >"$work/result"
    if ! awk '/ checks hold$/ { good = $(NF - 4) == $(NF - 2) } END { exit !good }' "$work/result"; then
        echo "$1:"
        cat "$work/result"
        [ -s "$work/result" ] || tail -n 20 "$work/said"
        exit 1
    fi
    sed "s/^/$1: /" "$work/result"
}

CORA_TRACE=$work/small.json "$traced"
look small

# One of a program that has crashed: no end of the list, and half a line.
sed '$d' "$work/small.json" >"$work/crashed.json"
printf ',\n{"ph":"X","pid":1,"tid' >>"$work/crashed.json"
look crashed

CORA_TRACE=$work/large.json "$traced" 40000
look large

# Two processes that ran at once.
CORA_TRACE=$work/other.json "$traced" &
CORA_TRACE=$work/both.json "$traced"
wait $!
look both other
