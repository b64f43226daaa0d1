#!/bin/sh
# headers.sh: every public header compiles alone, before any other and twice.
#
#     headers.sh LANGUAGE COMPILER        LANGUAGE: c (C11, pedantic) or c++ (C++20)
set -eu
language=$1
compiler=$2
cd "$(dirname "$0")/.."

case $language in
c) options="-std=c11 -Wstrict-prototypes" ;;
c++) options="-std=c++20" ;;
*) echo "headers.sh: no language $language" && exit 2 ;;
esac

command -v "$compiler" >/dev/null || {
    echo "$compiler is not installed: nothing was checked"
    exit 77 # ctest: skipped
}

count=0
failed=0
for file in $(find runtime/include stdlib/include -name '*.h'); do
    header=${file#*/include/}
    count=$((count + 1))
    # shellcheck disable=SC2086 # several options
    printf '#include <%s>\n#include <%s>\nint compiled(void);\n' "$header" "$header" |
        "$compiler" -x "$language" $options -pedantic -Wall -Wextra -Werror -fsyntax-only \
            -Iruntime/include -Istdlib/include - || {
        echo "$file: does not compile alone as $language with $compiler"
        failed=1
    }
done
[ $failed = 0 ] && echo "$count headers compile alone as $language with $compiler"
exit $failed
