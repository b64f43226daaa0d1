#include "excepthook.h"

#include <cora/error.h>

#include <stdatomic.h>
#include <stdio.h>

static _Atomic(cora_threading_hook *) excepthook = cora_threading_excepthook;

void cora_threading_excepthook(const cora_threading_excepthook_args *args)
{
    cora_threading_thread *thread =
        args->thread != NULL ? args->thread : cora_threading_current_thread();

    if (args->error == -ECANCELED)
        return;
    fprintf(stderr, "cora: exception in thread %s: %s\n",
            thread != NULL ? cora_threading_thread_get_name(thread) : "?",
            cora_strerror(args->error));
}

void cora_threading_set_excepthook(cora_threading_hook *hook)
{
    atomic_store(&excepthook, hook != NULL ? hook : cora_threading_excepthook);
}

void cora__threading_excepthook(cora_threading_thread *thread, int error)
{
    cora_threading_excepthook_args args = {.thread = thread, .error = error};

    atomic_load (&excepthook)(&args);
}
