/*
 * link.h: a place in a list, which whatever has it can leave without being told where it is.
 */
#ifndef CORA_STDLIB_LINK_H
#define CORA_STDLIB_LINK_H

#include <stddef.h>

/* All 0 is in no list. The list itself is a pointer to the first. */
struct cora__link {
    void *object; /* which has it */
    struct cora__link *next, **to;
};

/* To the front. */
static inline void cora__link_add(struct cora__link **first, struct cora__link *link, void *object)
{
    link->object = object;
    link->next = *first;
    link->to = first;
    if (link->next != NULL)
        link->next->to = &link->next;
    *first = link;
}

static inline void cora__link_remove(struct cora__link *link)
{
    if (link->to == NULL)
        return;
    *link->to = link->next;
    if (link->next != NULL)
        link->next->to = link->to;
    link->to = NULL;
}

#endif
