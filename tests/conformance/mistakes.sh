#!/bin/sh
# mistakes.sh SCENARIO [LAUNCHER...]: what cannot be run is told, with its place, and is no success;
# what only looks odd is run.
set -u
runner=$1
shift
launcher=$*
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# run FILE...: the runner's output is in out and err, its status in $status.
run()
{
    status=0
    # shellcheck disable=SC2086 # a few words
    (cd "$dir" && $launcher "$runner" "$@") >"$dir/out" 2>"$dir/err" || status=$?
}

fail()
{
    echo "FAILED: $*; status $status, stderr:"
    head -n 5 "$dir/err"
    failed=1
}

# refused MESSAGE [FILE...]: a line of it, in full, and status 2.
refused()
{
    message=$1
    shift
    run "$@"
    [ $status = 2 ] || fail "not refused: $message"
    grep -qxF -- "$message" "$dir/err" || fail "not said: $message"
}

# mistake MESSAGE TEXT: a file of that text is refused.
mistake()
{
    printf '%b' "$2" >"$dir/file"
    refused "$1" file
}

# traced LAST_LINE TEXT: a file of that text runs, and its trace ends so.
traced()
{
    printf '%b' "$2" >"$dir/file"
    run file
    [ $status = 0 ] || fail "not run: $2"
    [ "$(tail -n 1 "$dir/out")" = "$1" ] || fail "the trace of '$2' does not end with '$1'"
}

# ---- files

refused "usage: scenario FILE..."
refused "nowhere: No such file or directory" nowhere
mkdir "$dir/folder"
refused "folder: Is a directory" folder
mistake "file: there is no 'coro main ... end', which is what is run" ''
mistake "file: there is no 'coro main ... end', which is what is run" '# nothing\n\n'
mistake "file: no text: there is a zero byte in it" 'coro main\n\0000end\n'
head -c 17000000 /dev/zero | tr '\0' '#' >"$dir/huge"
refused "huge: too large for a scenario: more than 16777216 bytes" huge

# ---- statements

mistake "file:2: there is no statement 'sing'" 'coro main\n  sing a\nend\n'
mistake "file:4: 'spawn' takes: slot coro; here it has 1" 'coro c\nend\ncoro main\n  spawn t0\nend\n'
mistake "file:2: 'yield' takes: nothing; here it has 1" 'coro main\n  yield 7\nend\n'
mistake "file:2: 'gather' takes: slot|future+; here it has 0" 'coro main\n  gather\nend\n'
mistake "file:2: 'spawn' takes: slot coro; 'c' is no coro" 'coro main\n  spawn t0 c\nend\n'
mistake "file:3: 'acquire' takes: lock|cond|sem|bsem; 'E' is no lock|cond|sem|bsem" \
    'event E\ncoro main\n  acquire E\nend\n'
mistake "file:2: 'set' takes: event; 'E' is no event" 'coro main\n  set E\nend\n'
mistake "file:2: 'sleep' takes: ms; 'long' is no ms" 'coro main\n  sleep long\nend\n'
mistake "file:2: 'sleep' takes: ms; 'none' is no ms" 'coro main\n  sleep none\nend\n'
mistake "file:2: 'raise' takes: error; 'E' is no error" 'coro main\n  raise E\nend\n'
mistake "file:2: 'return' takes: number; '99999999999' is no number" \
    'coro main\n  return 99999999999\nend\n'
mistake "file:3: 'await' takes: slot; 'F' is no slot" 'future F\ncoro main\n  await F\nend\n'
words=$(printf ' t%d' 0 1 2 3 4 5 6 7)
words=$words$words$words$words$words$words$words$words
mistake "file:2: more than 64 words" "coro main\n  gather$words\nend\n"

# ---- resources

mistake "file:1: there is no resource 'say', and statements stand between 'coro' and 'end'" \
    'say w\ncoro main\nend\n'
mistake "file:1: 'lock' takes: name" 'lock\ncoro main\nend\n'
mistake "file:1: 'sem' takes: name number; here it has 1" 'sem S\ncoro main\nend\n'
mistake "file:1: 'barrier' takes: name count; '0' is no count" 'barrier B 0\ncoro main\nend\n'
mistake "file:2: there is a 'L' already" 'lock L\nevent L\ncoro main\nend\n'

# ---- blocks

mistake "file:1: 'coro' has no 'end'" 'coro main\n  say w'
mistake "file:1: 'coro' has no 'end'" 'coro main\n  group\n  say w\nend\n'
mistake "file:2: 'group' has no 'end'" 'coro main\n  group\n  say w\n'
mistake "file:3: 'handle' inside 'group' of line 2: an 'end' is missing" \
    'coro main\n  group\n  handle\n  end\nend\n'
mistake "file:4: 'coro' inside 'coro' of line 1: an 'end' is missing" \
    'coro c\n  yield\n\ncoro main\nend\n'
mistake "file:3: there is a coroutine 'main' already" 'coro main\nend\ncoro main\nend\n'
mistake "file:1: 'coro' takes a name" 'coro\nend\n'
deep=$(printf '%16s' '' | sed 's/ /group\\n/g')
ends=$(printf '%16s' '' | sed 's/ /end\\n/g')
mistake "file:18: more than 16 blocks in one another" "coro main\n${deep}group\nend\n${ends}end\n"

# ---- what is no mistake

traced '0.000 run -> ok 0' 'coro main\nend'
traced '0.000 run -> ok 7' 'coro main\r\n\tgroup\r\n\tend\r\n  return 7\r\nend\r\n'
traced '0.000 run -> ok 7' "coro main\n${deep}return 7\n${ends}end\n"
traced 'too long' 'coro c\nend\ncoro main\n  repeat 100000\n    spawn t c\n  end\nend\n'
traced 'too long' 'coro main\n  repeat 100000\n    eager t main\n  end\nend\n'

# ---- several files: those before the mistake have been run

printf 'coro main\n  return 3\nend\n' >"$dir/good"
run good folder/../good
[ "$(grep -cx '0.000 run -> ok 3' "$dir/out")" = 2 ] || fail "not both files were run"
printf 'coro\n' >"$dir/file"
refused "file:1: 'coro' takes a name" good file
[ "$(grep -cx '0.000 run -> ok 3' "$dir/out")" = 1 ] || fail "the file before the mistake was not run"

[ $failed = 0 ] && echo "every mistake was told"
exit $failed
