#!/bin/sh
# quotes.sh FILE...: a block of C whose first line is a comment with a file's name is what stands in that
# file, but for the space at the beginning of lines.
set -eu
cd "$(dirname "$0")/../.."

awk '
    function squeezed(line) { sub(/^[ \t]+/, "", line); return line }

    function text_of(file,    line, text) {
        text = "\n"
        while ((getline line <file) > 0)
            text = text squeezed(line) "\n"
        close(file)
        return text
    }

    /^```/ && quoted != "" {
        if (!index(text_of(quoted), "\n" quote)) {
            print FILENAME ":" FNR ": this does not stand in " quoted ":" quote
            failed = 1
        }
        count++
        quoted = ""
    }
    quoted != "" { quote = quote squeezed($0) "\n" }
    before == "```c" && /^\/\/ [a-z_0-9]+\/[^ ]+$/ { quoted = $2; quote = "" }
    { before = $0 }
    END { if (!failed) print count " quotations, as they stand there"; exit failed || !count }
' "$@"
