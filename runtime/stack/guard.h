/* guard.h: making a page inaccessible, so that running into it is a fault and not a corruption. */
#ifndef CORA_STACK_GUARD_H
#define CORA_STACK_GUARD_H

#include <stddef.h>

/* 0, or -ENOMEM: the page is then as it was. With mprotect each guard is a mapping of its own, of
 * which Linux allows vm.max_map_count (65,530 unless raised). */
int cora__guard_install(void *page, size_t size);

/* "MADV_GUARD_INSTALL" or "mprotect", whichever this system has. */
const char *cora__guard_kind(void);

#endif
