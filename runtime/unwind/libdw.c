/*
 * libdw.c: symbols and unwinding by elfutils' libdw.
 *
 * libdwfl is made for looking at other processes; here the process is ourselves. What it would ask
 * ptrace for, the callbacks below tell it: one thread, which is the stopped coroutine, with the
 * registers that its context has saved, and its memory, which is ours.
 */
#include "unwind/unwind.h"

#ifdef CORA_LIBDW

#include <dwarf.h>
#include <elfutils/libdwfl.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The numbers of the registers in unwind tables. */
#ifdef __aarch64__
enum { FP = 29, SP = 31 };
#else
enum { FP = 6, SP = 7 };
#endif

struct cora__symbols {
    Dwfl *dwfl;
    const struct cora_coroutine *coroutine; /* that is being unwound, ... */
    const void *sp;                         /* ... from here on */
};

/* Debugging information that lies apart is looked for on this machine only. */
static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_linux_proc_find_elf,
    .find_debuginfo = dwfl_build_id_find_debuginfo,
};

/* ---- unwinding ----------------------------------------------------------------------------- */

/* The one thread that there is. */
static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
    (void)dwfl;
    if (*thread_arg != NULL)
        return 0;
    *thread_arg = arg;
    return getpid();
}

static bool get_thread(Dwfl *dwfl, pid_t thread, void *arg, void **thread_arg)
{
    (void)dwfl, (void)thread;
    *thread_arg = arg;
    return true;
}

/* Frames have red zones around what they hold, and saved registers lie where nobody has a name for
 * them: the sanitizers are not to mind. */
__attribute__((no_sanitize("address", "thread"))) static Dwarf_Word word_at(uintptr_t address)
{
    return *(const volatile Dwarf_Word *)address;
}

/* All that unwinding reads lies on the coroutine's stack. */
static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret, void *arg)
{
    const struct cora__symbols *symbols = arg;
    const struct cora__stack *stack = &symbols->coroutine->stack;

    (void)dwfl;
    if (address < (uintptr_t)stack->low || address > (uintptr_t)stack->top - sizeof *ret ||
        address % sizeof *ret != 0)
        return false;
    *ret = word_at(address);
    return true;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
    const struct cora__symbols *symbols = arg;
    struct cora__context_registers registers = cora__context_registers(symbols->sp);
    Dwarf_Word sp = registers.sp, fp = registers.fp;

    if (registers.pc == 0)
        return false;
    dwfl_thread_state_register_pc(thread, registers.pc);
    return dwfl_thread_state_registers(thread, SP, 1, &sp) &&
           dwfl_thread_state_registers(thread, FP, 1, &fp);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = read_memory,
    .set_initial_registers = set_registers,
};

struct walk {
    bool (*fn)(uintptr_t address, void *arg);
    void *arg;
};

static int on_frame(Dwfl_Frame *frame, void *arg)
{
    const struct walk *walk = arg;
    bool interrupted;
    Dwarf_Addr pc;

    if (!dwfl_frame_pc(frame, &pc, &interrupted))
        return DWARF_CB_ABORT;
    return walk->fn(interrupted ? pc : pc - 1, walk->arg) ? DWARF_CB_OK : DWARF_CB_ABORT;
}

void cora__unwind(struct cora__symbols *symbols, const struct cora_coroutine *coroutine,
                  const void *sp, bool (*fn)(uintptr_t address, void *arg), void *arg)
{
    struct walk walk = {fn, arg};

    if (symbols == NULL)
        return;
    symbols->coroutine = coroutine;
    symbols->sp = sp;
    dwfl_getthread_frames(symbols->dwfl, getpid(), on_frame, &walk);
}

/* ---- symbols ------------------------------------------------------------------------------- */

struct cora__symbols *cora__symbols_open(void)
{
    struct cora__symbols *symbols = calloc(1, sizeof *symbols);

    if (symbols == NULL)
        return NULL;
    symbols->dwfl = dwfl_begin(&callbacks);
    if (symbols->dwfl != NULL && dwfl_linux_proc_report(symbols->dwfl, getpid()) == 0 &&
        dwfl_report_end(symbols->dwfl, NULL, NULL) == 0 &&
        dwfl_attach_state(symbols->dwfl, NULL, getpid(), &thread_callbacks, symbols))
        return symbols;
    cora__symbols_close(symbols);
    return NULL;
}

void cora__symbols_close(struct cora__symbols *symbols)
{
    if (symbols == NULL)
        return;
    if (symbols->dwfl != NULL)
        dwfl_end(symbols->dwfl);
    free(symbols);
}

static bool is_function(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);

    return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
}

/* The scopes around an address as they lie in the code, innermost first; *ret is to be freed. */
static int find_scopes(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **ret)
{
    Dwarf_Die *scopes = NULL;
    int count = dwarf_getscopes(unit, address, &scopes), i = 0;

    while (i < count && !is_function(&scopes[i]))
        i++;
    /* Beyond an inlined function these are where it was written, not where it was put. */
    *ret = NULL;
    count = i < count ? dwarf_getscopes_die(&scopes[i], ret) : 0;
    free(scopes);
    return count;
}

static void set_line(cora_frame *frame, Dwarf_Die *unit, Dwarf_Addr address)
{
    Dwarf_Line *line = dwarf_getsrc_die(unit, address);

    if (line != NULL && dwarf_lineno(line, &frame->line) == 0)
        frame->file = dwarf_linesrc(line, NULL, NULL);
}

/* Where the inlined function would have been called from. */
static void set_line_of_call(cora_frame *frame, Dwarf_Die *unit, Dwarf_Die *inlined)
{
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files *files;

    if (dwarf_getsrcfiles(unit, &files, NULL) == 0 &&
        dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) == 0 &&
        dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) == 0) {
        frame->file = dwarf_filesrc(files, file, NULL, NULL);
        frame->line = (int)line;
    }
}

/* The compilation unit that the address, which is to be less the bias, was compiled in. */
static Dwarf_Die *find_unit(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *bias)
{
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);

    if (unit != NULL)
        return unit;
    /* clang writes no table from addresses to units. */
    while ((unit = dwfl_module_nextcu(module, unit, bias)) != NULL)
        if (dwarf_haspc(unit, address - *bias) > 0)
            return unit;
    return NULL;
}

static size_t find_by_unit(Dwarf_Die *unit, Dwarf_Addr address, cora_frame frames[], size_t room)
{
    Dwarf_Die *scopes, *inlined = NULL;
    int scope_count = find_scopes(unit, address, &scopes);
    size_t count = 0;

    for (int i = 0; i < scope_count && count < room; i++) {
        if (!is_function(&scopes[i]))
            continue;
        frames[count] = (cora_frame){.function = dwarf_diename(&scopes[i])};
        if (inlined == NULL)
            set_line(&frames[count], unit, address);
        else
            set_line_of_call(&frames[count], unit, inlined);
        count += frames[count].function != NULL;
        inlined = &scopes[i];
        if (dwarf_tag(inlined) == DW_TAG_subprogram)
            break;
    }
    free(scopes);
    return count;
}

size_t cora__symbols_find(struct cora__symbols *symbols, uintptr_t address, cora_frame frames[],
                          size_t room)
{
    Dwfl_Module *module = symbols != NULL ? dwfl_addrmodule(symbols->dwfl, address) : NULL;
    Dwarf_Addr bias;
    Dwarf_Die *unit;
    size_t count = 0;

    if (module == NULL || room == 0)
        return 0;
    unit = find_unit(module, address, &bias);
    if (unit != NULL)
        count = find_by_unit(unit, address - bias, frames, room);
    if (count == 0) { /* the compiler describes no copy of a function of the same code */
        frames[0] = (cora_frame){.function = dwfl_module_addrname(module, address)};
        if (unit != NULL)
            set_line(&frames[0], unit, address - bias);
        count = frames[0].function != NULL;
    }
    return count;
}

#else

struct cora__symbols *cora__symbols_open(void)
{
    return NULL;
}

void cora__symbols_close(struct cora__symbols *symbols)
{
    (void)symbols;
}

size_t cora__symbols_find(struct cora__symbols *symbols, uintptr_t address, cora_frame frames[],
                          size_t room)
{
    (void)symbols, (void)address, (void)frames, (void)room;
    return 0;
}

void cora__unwind(struct cora__symbols *symbols, const struct cora_coroutine *coroutine,
                  const void *sp, bool (*fn)(uintptr_t address, void *arg), void *arg)
{
    (void)symbols, (void)coroutine, (void)sp, (void)fn, (void)arg;
}

#endif
