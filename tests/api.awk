# api.awk: the functions that the headers given declare with CORA_API, a line each: header, function.

function without_comments(line,    block, slashes, end)
{
    for (;;) {
        if (in_comment) {
            end = index(line, "*/")
            if (end == 0)
                return ""
            in_comment = 0
            line = substr(line, end + 2)
        }
        block = index(line, "/*")
        slashes = index(line, "//")
        if (slashes > 0 && (block == 0 || slashes < block))
            return substr(line, 1, slashes - 1)
        if (block == 0)
            return line
        end = index(substr(line, block + 2), "*/")
        if (end == 0) {
            in_comment = 1
            return substr(line, 1, block - 1)
        }
        line = substr(line, 1, block - 1) " " substr(line, block + end + 3)
    }
}

FNR == 1 {
    in_comment = in_directive = 0
    declaration = ""
}

{
    line = without_comments($0)
    directive = in_directive || line ~ /^[ \t]*#/
    in_directive = directive && line ~ /\\$/
    if (directive)
        next
    declaration = declaration " " line
    if (line !~ /[;{}]/)
        next
    if (declaration ~ /CORA_API/ && match(declaration, /cora_[a-z0-9_]+\(/))
        print FILENAME, substr(declaration, RSTART, RLENGTH - 1)
    declaration = ""
}
