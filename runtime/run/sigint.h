/* sigint.h: Ctrl-C while a main task runs. See run.h for what it does. */
#ifndef CORA_RUN_SIGINT_H
#define CORA_RUN_SIGINT_H

#include "task/task.h"

struct cora__sigint {
    struct cora__task *main;
    bool watches;
    bool cancelled_main; /* the first Ctrl-C has reached the main task */
};

/* From now on Ctrl-C cancels `task`; nothing where SIGINT has a handler, or is watched already. */
void cora__sigint_watch(struct cora__sigint *sigint, struct cora__task *task);

/* No longer; a handler that has meanwhile taken its place stays. */
void cora__sigint_unwatch(struct cora__sigint *sigint);

#endif
