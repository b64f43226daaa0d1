/*
 * lock_order.c: a graph of locks. An edge says that a thread which held the one wanted the other,
 * as it was seen the first time. A new edge that closes a ring is a deadlock waiting for its
 * moment.
 */
#include <cora/threading/lock_order.h>

#include "lock_order.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the report ---------------------------------------------------------------------------- */

static void print_place(const cora_frame *place)
{
    if (place->file != NULL)
        fprintf(stderr, "%s:%d in %s()\n", place->file, place->line, place->function);
    else if (place->function != NULL)
        fprintf(stderr, "%s()\n", place->function);
    else
        fprintf(stderr, "a place not known\n");
}

static void print_ring(const cora_threading_lock_order_step steps[], size_t count)
{
    fprintf(stderr, "cora: possible deadlock: locks are taken in a ring\n");
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "  lock %p, held since ", steps[i].held);
        print_place(&steps[i].held_at);
        fprintf(stderr, "    while lock %p was wanted at ", steps[i].wanted);
        print_place(&steps[i].wanted_at);
    }
}

static _Atomic(cora_threading_lock_order_hook *) report = print_ring;

void cora_threading_set_lock_order_hook(cora_threading_lock_order_hook *hook)
{
    atomic_store(&report, hook != NULL ? hook : print_ring);
}

#ifdef CORA_DEBUG

struct edge {
    cora_threading_lock_order_step step;
    struct edge *next;
    struct edge *before, *queued; /* of a search: how it was come by, and what is looked at next */
    unsigned search;
};

struct holding {
    const void *lock;
    unsigned long thread;
    cora_frame place;
    struct holding *next;
};

static struct {
    pthread_mutex_t lock;
    struct edge *edges;
    struct holding *holdings; /* of all threads: one may release what another has taken */
    unsigned searches;
    unsigned long threads;
} order = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Never given anew, as pthread's are. */
static unsigned long this_thread(void)
{
    static _Thread_local unsigned long number;

    if (number == 0)
        number = ++order.threads;
    return number;
}

/* ---- the graph ----------------------------------------------------------------------------- */

static bool is_known(const void *held, const void *wanted)
{
    for (const struct edge *edge = order.edges; edge != NULL; edge = edge->next)
        if (edge->step.held == held && edge->step.wanted == wanted)
            return true;
    return false;
}

/* The last edge of the shortest ring that begins with this one; NULL: there is none. */
static struct edge *find_ring(struct edge *first)
{
    struct edge *last = first;

    first->search = ++order.searches;
    first->before = first->queued = NULL;
    for (struct edge *edge = first; edge != NULL; edge = edge->queued) {
        if (edge->step.wanted == first->step.held)
            return edge;
        for (struct edge *other = order.edges; other != NULL; other = other->next) {
            if (other->step.held != edge->step.wanted || other->search == order.searches)
                continue;
            other->search = order.searches;
            other->before = edge;
            other->queued = NULL;
            last->queued = other;
            last = other;
        }
    }
    return NULL;
}

/* For the caller to free; NULL without memory, too. */
static cora_threading_lock_order_step *copy_ring(const struct edge *last, size_t *ret_count)
{
    cora_threading_lock_order_step *steps = NULL;
    size_t count = 0;

    for (const struct edge *edge = last; edge != NULL; edge = edge->before)
        count++;
    if (count > 0)
        steps = malloc(count * sizeof steps[0]);
    if (steps == NULL)
        return NULL;
    *ret_count = count;
    for (const struct edge *edge = last; edge != NULL; edge = edge->before)
        steps[--count] = edge->step;
    return steps;
}

static struct edge *add_edge(const struct holding *holding, const void *wanted, cora_frame place)
{
    struct edge *edge = calloc(1, sizeof *edge);

    if (edge == NULL)
        return NULL;
    edge->step = (cora_threading_lock_order_step){
        .held = holding->lock, .wanted = wanted, .held_at = holding->place, .wanted_at = place};
    edge->next = order.edges;
    order.edges = edge;
    return edge;
}

/* ---- what locks tell ----------------------------------------------------------------------- */

/* Whether there was another lock that is held, and was not known to be when this one is wanted. */
static bool note_next(const void *lock, cora_frame place, cora_threading_lock_order_step **ret_ring,
                      size_t *ret_count)
{
    struct edge *edge = NULL;

    pthread_mutex_lock(&order.lock);
    for (const struct holding *holding = order.holdings; holding != NULL && edge == NULL;
         holding = holding->next)
        if (holding->thread == this_thread() && !is_known(holding->lock, lock))
            edge = add_edge(holding, lock, place);
    *ret_ring = edge != NULL ? copy_ring(find_ring(edge), ret_count) : NULL;
    pthread_mutex_unlock(&order.lock);
    return edge != NULL;
}

void cora__lock_order_wanted(const void *lock, cora_frame place)
{
    cora_threading_lock_order_step *ring;
    size_t count = 0;

    while (note_next(lock, place, &ring, &count)) {
        if (ring != NULL)
            atomic_load (&report)(ring, count);
        free(ring);
    }
}

void cora__lock_order_taken(const void *lock, cora_frame place)
{
    struct holding *holding;

    pthread_mutex_lock(&order.lock);
    holding = malloc(sizeof *holding);
    if (holding != NULL) {
        *holding = (struct holding){
            .lock = lock, .thread = this_thread(), .place = place, .next = order.holdings};
        order.holdings = holding;
    }
    pthread_mutex_unlock(&order.lock);
}

static void drop_holding(const void *lock)
{
    struct holding **to = &order.holdings, *holding;

    while ((holding = *to) != NULL && holding->lock != lock)
        to = &holding->next;
    if (holding != NULL)
        *to = holding->next;
    free(holding);
}

void cora__lock_order_released(const void *lock)
{
    pthread_mutex_lock(&order.lock);
    drop_holding(lock);
    pthread_mutex_unlock(&order.lock);
}

void cora__lock_order_forget(const void *lock)
{
    struct edge **to = &order.edges, *edge;

    pthread_mutex_lock(&order.lock);
    while ((edge = *to) != NULL) {
        if (edge->step.held == lock || edge->step.wanted == lock) {
            *to = edge->next;
            free(edge);
        } else {
            to = &edge->next;
        }
    }
    drop_holding(lock);
    pthread_mutex_unlock(&order.lock);
}

/* ---- forks --------------------------------------------------------------------------------- */

void cora__lock_order_prepare_fork(void)
{
    pthread_mutex_lock(&order.lock);
}

void cora__lock_order_after_fork(void)
{
    pthread_mutex_unlock(&order.lock);
}

#endif
