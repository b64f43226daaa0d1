/*
 * symbols.h: from an address in the program to function, file and line.
 *
 * libdw does the work, where the build has found it; without it, or without memory for it, there
 * are no symbols, and whoever wants frames makes do with the names that the runtime itself knows.
 * Names of static functions come from the symbol table, lines and inlined functions from the
 * debugging information (-g): a program that was stripped has neither.
 *
 * libdw puts 150 KiB and more on its stack, which a task has not: all but close is to be called by
 * cora__symbols_call.
 */
#ifndef CORA_UNWIND_SYMBOLS_H
#define CORA_UNWIND_SYMBOLS_H

#include <cora/frame.h>

struct cora__symbols;

/* Calls fn(arg) on a stack that is large enough for what is below. 0 or -ENOMEM. */
int cora__symbols_call(void (*fn)(void *arg), void *arg);

/* Of the program as it is now, with all its libraries; some milliseconds. NULL: there are none. */
struct cora__symbols *cora__symbols_open(void);

/* What it has told of frames goes with it. NULL is accepted. */
void cora__symbols_close(struct cora__symbols *symbols);

/*
 * The function that the address lies in and, before it, those inlined into it there, innermost
 * first: up to `room` frames, of which it returns the number. 0: it is not known. A return address
 * belongs to the next line already, perhaps to the next function: ask for the byte before it.
 */
size_t cora__symbols_find(struct cora__symbols *symbols, uintptr_t address, cora_frame frames[],
                          size_t room);

#endif
