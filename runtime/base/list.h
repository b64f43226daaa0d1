/*
 * list.h: the intrusive, circular, doubly linked list behind the ready queue, a future's callbacks,
 * a lock's waiters and every other list here.
 *
 * A node that is in no list points to itself, so that it can leave whatever list it is in, or none,
 * without being told which: cancelling a handle is one call wherever the handle waits. The head of
 * a list is a node too. Nothing here allocates.
 */
#ifndef CORA_BASE_LIST_H
#define CORA_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct cora__list {
    struct cora__list *next, *prev;
};

#define cora__container_of(pointer, type, member)                                                  \
    ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void cora__list_init(struct cora__list *list)
{
    list->next = list->prev = list;
}

static inline bool cora__list_empty(const struct cora__list *list)
{
    return list->next == list;
}

static inline void cora__list_append(struct cora__list *list, struct cora__list *node)
{
    node->next = list;
    node->prev = list->prev;
    list->prev->next = node; /* NOLINT(clang-analyzer-core.NullDereference): a ring has no end */
    list->prev = node;
}

static inline void cora__list_prepend(struct cora__list *list, struct cora__list *node)
{
    cora__list_append(list->next, node);
}

/* Takes it out of its list and leaves the node as it is: for those that go into another list, or
 * away, before anyone asks whether they are in one. */
static inline void cora__list_unlink(struct cora__list *node)
{
    /* The analyzer does not see that a node leaves its list before it is freed. */
    node->prev->next = node->next; /* NOLINT(clang-analyzer-unix.Malloc) */
    node->next->prev = node->prev;
}

static inline void cora__list_remove(struct cora__list *node)
{
    cora__list_unlink(node);
    cora__list_init(node);
}

/* Appends all nodes of `from` to `list`, in their order, and leaves `from` empty. */
static inline void cora__list_splice(struct cora__list *list, struct cora__list *from)
{
    if (cora__list_empty(from))
        return;
    from->next->prev = list->prev;
    list->prev->next = from->next;
    from->prev->next = list;
    list->prev = from->prev;
    cora__list_init(from);
}

#endif
