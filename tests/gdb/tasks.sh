#!/bin/sh
# tasks.sh PROGRAM SCRIPT DIRECTORY: checks cora-gdb.py on PROGRAM (parked.c), first alive and then
# on its core dump, which is written into DIRECTORY.
set -u
program=$1 script=$2 directory=$3

skip()
{
    echo "skipped: $*"
    exit 77
}

# ---- looking at it -------------------------------------------------------------------------------

run_gdb()
{
    DEBUGINFOD_URLS='' gdb -nx -batch -iex 'set width 0' \
        -iex 'set disable-randomization off' "$@" 2>&1
}

look()
{
    run_gdb -x "$script" "$@" -ex 'cora tasks' -ex 'cora bt all' \
        -ex 'echo by name\n' -ex 'cora bt "named sleeper"' -ex 'echo the end\n'
}

# ---- checking what it shows ----------------------------------------------------------------------

fail()
{
    echo "$where: $*"
    sed 's/^/    /' output
    exit 1
}

expect_line()
{
    grep -Eq "$1" output || fail "no line matches: $1"
}

# The backtraces in short: for each task "number: function function ... / function ... ;", where a
# slash divides the stacks that it is on.
shorten()
{
    sed -n -e '/^by name/q' \
        -e "s/^\([0-9][0-9]*\) '.*/; \1:/p" \
        -e 's/^resumed by.*/\//p' \
        -e 's/^#[0-9]* *\(0x[0-9a-f]* in \)\{0,1\}\([^ ]*\) (.*/\2/p' output | tr '\n' ' '
    echo ';'
}

# expect_stacks PATTERN: of the shell's kind.
expect_stacks()
{
    case $stacks in
    *$1*) ;;
    *) fail "the backtraces [$stacks] do not match: $1" ;;
    esac
}

check()
{
    where=$1
    expect_line "^ +1 .* main +running$"
    expect_line "^ +2 .* named sleeper +sleeper +waiting for sleep at 0x"
    expect_line "^ +3 .* Task-3 +consumer +waiting for task 'named sleeper' \(function sleeper\)$"
    expect_line "^ +4 .* Task-4 +yielder +queued$"
    expect_line "^ +5 .* Task-5 +reader +waiting for sleep at 0x"
    expect_line "^ +6 .* Task-6 +yielder +not started$"
    expect_line '^the end$'
    grep -Eq 'Python Exception|Error occurred|Backtrace stopped|Cannot access|damaged' output &&
        fail 'gdb complains'

    # The first frame of a stack, with nothing after it: cora__context_start (gdb takes the two
    # underscores for Ada's). With ucontext it is the C library's, which may have no name and,
    # to gdb, an empty caller.
    stacks=$(shorten | sed -E \
        's/ (cora[^ ]*context_start|(start )?(__start_context|\?\?)( \?\?)?) ([;/])/ FIRST \5/g')
    expect_stacks '; 1: * abort_inside fail run_body FIRST / * run run_tasks run_body FIRST ; 2:'
    expect_stacks '; 2: * sleep_inner sleep_middle sleeper run_tasks run_body FIRST ; 3:'
    expect_stacks '; 3: * generate_inner generate run_body FIRST / *'
    expect_stacks ' FIRST / * consume_inner consumer run_tasks run_body FIRST ; 4:'
    expect_stacks '; 4: * yielder run_tasks run_body FIRST ; 5:'
    expect_stacks '; 5: * page_inner pages run_body FIRST / * reader run_tasks run_body FIRST ; 6: ;'
    grep -A 100 '^by name' output | grep -q '^#.* sleep_inner ' || fail 'no task by its name'
    echo "$where: passed"
}

# ---- alive, and dead -----------------------------------------------------------------------------

[ -x "$program" ] || {
    echo "there is no $program"
    exit 1
}
[ -z "${CORA_SKIP_GDB-}" ] || skip "$CORA_SKIP_GDB"
command -v gdb >/dev/null || skip 'there is no gdb'
run_gdb -ex 'python print("python " + "works")' | grep -q '^python works' ||
    skip 'this gdb has no Python'
run_gdb "$program" -ex 'ptype struct cora__task' | grep -q stack_size ||
    skip 'built without debugging information'
run_gdb -ex run --args true | grep -q 'exited normally' || skip 'gdb cannot run a program here'

rm -rf "$directory"
mkdir -p "$directory" && cd "$directory" || exit 1

look -ex run "$program" >output
check 'live'

# The kernel's own dump, for gdb 13 leaves the stacks out of its own where madvise guards a page of
# them: what it cannot read ends the mapping.
(ulimit -c unlimited && "$program") 2>/dev/null
core=$(ls core* 2>/dev/null | head -n 1)
if [ -z "$core" ]; then
    core=core
    run_gdb -ex run -ex "generate-core-file $core" "$program" >made
    grep -q 'Memory read failed.* at 0x[0-7]' made &&
        skip 'the kernel writes its core dumps elsewhere, and those of this gdb lack the stacks'
    [ -f "$core" ] || skip 'no core dump could be made'
fi
look "$program" "$core" >output
check 'core dump'
rm -rf "$directory"
