/*
 * timer.c: the armed timers, in a heap with four children a node: half the depth of a binary one,
 * and the four lie side by side, deadlines included. Each timer knows its place, so that disarming
 * it, which is what happens to most timeouts, costs no search and leaves nothing behind.
 */
#include "loop/timer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { CHILDREN = 4, FIRST_ROOM = 64 };

static const size_t IDLE = SIZE_MAX;

static bool is_before(struct cora__timer_slot a, struct cora__timer_slot b)
{
    return a.when < b.when || (a.when == b.when && a.timer->sequence < b.timer->sequence);
}

static void put(struct cora__timers *timers, size_t place, struct cora__timer_slot slot)
{
    timers->heap[place] = slot;
    slot.timer->place = place;
}

static void move_up(struct cora__timers *timers, size_t place, struct cora__timer_slot slot)
{
    while (place > 0) {
        size_t parent = (place - 1) / CHILDREN;

        if (!is_before(slot, timers->heap[parent]))
            break;
        put(timers, place, timers->heap[parent]);
        place = parent;
    }
    put(timers, place, slot);
}

static void move_down(struct cora__timers *timers, size_t place, struct cora__timer_slot slot)
{
    for (;;) {
        size_t first = place * CHILDREN + 1;
        size_t end = first + CHILDREN < timers->count ? first + CHILDREN : timers->count;
        size_t least = first;

        if (first >= timers->count)
            break;
        for (size_t child = first + 1; child < end; child++)
            if (is_before(timers->heap[child], timers->heap[least]))
                least = child;
        if (!is_before(timers->heap[least], slot))
            break;
        put(timers, place, timers->heap[least]);
        place = least;
    }
    put(timers, place, slot);
}

static void take_out(struct cora__timers *timers, struct cora__timer *timer)
{
    size_t place = timer->place;
    struct cora__timer_slot last = timers->heap[--timers->count];

    timer->place = IDLE;
    if (last.timer == timer)
        return;
    if (place > 0 && is_before(last, timers->heap[(place - 1) / CHILDREN]))
        move_up(timers, place, last);
    else
        move_down(timers, place, last);
}

int cora__timer_start(struct cora_loop *loop, struct cora__timer *timer, double when)
{
    struct cora__timers *timers = &loop->timers;

    if (isnan(when))
        return -EINVAL;
    if (timers->count == timers->room) {
        size_t room = timers->room > 0 ? timers->room * 2 : FIRST_ROOM;
        struct cora__timer_slot *heap = realloc(timers->heap, room * sizeof heap[0]);

        if (heap == NULL)
            return -ENOMEM;
        timers->heap = heap;
        timers->room = room;
    }
    timer->when = when;
    timer->sequence = timers->sequence++;
    move_up(timers, timers->count++, (struct cora__timer_slot){when, timer});
    /* The virtual clock stands still while work is ready: what is due now is due at once. */
    if (loop->virtual_clock && cora__loop_is_due(loop, when))
        cora__loop_look(loop);
    return 0;
}

void cora__timer_stop(struct cora_loop *loop, struct cora__timer *timer)
{
    if (timer->place != IDLE)
        take_out(&loop->timers, timer);
    else
        cora__list_remove(&timer->handle.link);
}

void cora__timers_run(struct cora_loop *loop, double limit)
{
    struct cora__timers *timers = &loop->timers;

    while (timers->count > 0 && timers->heap[0].when < limit) {
        struct cora__timer *timer = timers->heap[0].timer;

        take_out(timers, timer);
        cora__loop_push(loop, &timer->handle);
    }
}

void cora__timers_close(struct cora_loop *loop)
{
    struct cora__timers *timers = &loop->timers;

    while (timers->count > 0) {
        struct cora__timer *timer = timers->heap[timers->count - 1].timer;

        take_out(timers, timer);
        cora__handle_drop(&timer->handle);
    }
    free(timers->heap);
    timers->heap = NULL;
    timers->room = 0;
}
