/*
 * descriptors.h: letting go of what a child has inherited. Both calls are for the child of a fork,
 * or of a vfork: they make system calls and nothing else.
 */
#ifndef CORA_STDLIB_DESCRIPTORS_H
#define CORA_STDLIB_DESCRIPTORS_H

/* Those from `first` on are closed now, or when another program is executed. */
void cora__close_from(int first);
void cora__close_on_exec_from(int first);

#endif
