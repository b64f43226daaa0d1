/*
 * commands.h: what there is to be asked for.
 */
#ifndef REDIS_SERVER_COMMANDS_H
#define REDIS_SERVER_COMMANDS_H

#include "request.h"

#include <stdio.h>

/* Does what is requested, at once, and writes the reply. True: the client wants to leave. */
bool commands_execute(struct store *store, const struct request *request, FILE *out);

#endif
