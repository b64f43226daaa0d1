/*
 * writing.h: writes to a transport while the system takes only a part. A program that links
 * fault_support (tests/support/faults.h) has it.
 */
#ifndef CORA_TEST_WRITING_H
#define CORA_TEST_WRITING_H

#include "support/endpoint.h"

/*
 * Writes, piece by piece, while the system takes what its faults let it, each of which is met. All
 * of it arrives once the loop has had time, or the connection is lost with the error.
 */
struct writing {
    const char *pieces[4];
    bool together; /* by writelines */
    int faults[3];
    size_t kept; /* what waits after the last piece */
    int calls;   /* so many system calls it takes; 0: as many as it will */
    bool closes; /* the transport, when all is written; its loss is awaited */
    int error;
    const char *arrives;
};
void write_with_faults(struct endpoint *endpoint, const struct writing *writing);

#endif
