/*
 * timer.c: the armed timers, in CPython's heap.
 *
 * A binary heap of slots that hold the deadline and the number of a cell, and in the cell is the
 * pointer to the timer. So neither comparing nor moving slots touches a sleeper's stack: with a
 * hundred thousand of them each touch is a cache miss. A slot is no more than 16 bytes: what only
 * tells equal deadlines apart is in the cell as well. Disarming a timer empties its cell and
 * leaves the heap as it is, which is what happens to most timeouts: no search and no moving. Empty
 * slots go when they come to the top, or all at once when they are more than half of a hundred.
 *
 * The steps of pushing, popping and purging are those of asyncio and its heapq, so that even the
 * order in which timers of the same instant fire, an accident of the heap, can be had as there
 * (cora_loop_set_heapq_order). By default the first armed comes first.
 */
#include "loop/timer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { FIRST_ROOM = 64, LEAST_PURGED = 100 };

static const size_t NONE = SIZE_MAX;

static bool is_before(const struct cora__timers *timers, struct cora__timer_slot a,
                      struct cora__timer_slot b)
{
    if (__builtin_expect(a.when == b.when && !timers->heapq_order, false))
        return timers->cells[a.cell].sequence < timers->cells[b.cell].sequence;
    return a.when < b.when;
}

static struct cora__timer *timer_of(const struct cora__timers *timers, size_t place)
{
    return timers->cells[timers->heap[place].cell].timer;
}

static void move_up(struct cora__timers *timers, size_t top, size_t place)
{
    struct cora__timer_slot slot = timers->heap[place];

    while (place > top) {
        size_t parent = (place - 1) / 2;

        if (!is_before(timers, slot, timers->heap[parent]))
            break;
        timers->heap[place] = timers->heap[parent];
        place = parent;
    }
    timers->heap[place] = slot;
}

/*
 * Down to a leaf, always with the lesser child, and up again to where it belongs. Which child that
 * is nobody can predict, so it is added and not branched on; and what the way may come to three
 * levels below, eight slots, is fetched meanwhile.
 */
static void move_down(struct cora__timers *timers, size_t top)
{
    struct cora__timer_slot slot = timers->heap[top];
    size_t place = top;

    while (place < timers->count / 2) {
        size_t child = 2 * place + 1;

        __builtin_prefetch(&timers->heap[8 * place + 7]);
        __builtin_prefetch(&timers->heap[8 * place + 11]);
        if (child + 1 < timers->count)
            child += !is_before(timers, timers->heap[child], timers->heap[child + 1]);
        timers->heap[place] = timers->heap[child];
        place = child;
    }
    timers->heap[place] = slot;
    move_up(timers, top, place);
}

/* ---- cells --------------------------------------------------------------------------------- */

static size_t take_cell(struct cora__timers *timers, struct cora__timer *timer)
{
    size_t cell = timers->free_cell;

    if (cell != NONE)
        timers->free_cell = timers->cells[cell].next_free;
    else
        cell = timers->used_cells++;
    timers->cells[cell].timer = timer;
    timers->cells[cell].sequence = timers->sequence++;
    return cell;
}

static void give_cell_back(struct cora__timers *timers, size_t cell)
{
    timers->cells[cell].next_free = timers->free_cell;
    timers->free_cell = cell;
}

/* ---- from the top -------------------------------------------------------------------------- */

/* Moves the first slot out of the heap, right behind its end. */
static void pop(struct cora__timers *timers)
{
    struct cora__timer_slot first = timers->heap[0];

    timers->heap[0] = timers->heap[--timers->count];
    if (timers->count > 0)
        move_down(timers, 0);
    timers->heap[timers->count] = first;
}

/* The timer of a slot that is out of the heap; NULL: it was disarmed. */
static struct cora__timer *release(struct cora__timers *timers, struct cora__timer_slot slot)
{
    struct cora__timer *timer = timers->cells[slot.cell].timer;

    give_cell_back(timers, slot.cell);
    if (timer != NULL)
        timer->cell = NONE;
    else
        timers->empty--;
    return timer;
}

static bool must_purge(const struct cora__timers *timers)
{
    return timers->count > LEAST_PURGED && timers->empty > timers->count / 2;
}

static void purge(struct cora__timers *timers)
{
    size_t count = 0;

    for (size_t i = 0; i < timers->count; i++)
        if (timer_of(timers, i) != NULL)
            timers->heap[count++] = timers->heap[i];
        else
            give_cell_back(timers, timers->heap[i].cell);
    timers->count = count;
    timers->empty = 0;
    for (size_t i = count / 2; i-- > 0;)
        move_down(timers, i);
}

void cora__timers_clean(struct cora__timers *timers)
{
    if (timers->empty == 0)
        return;
    if (must_purge(timers))
        purge(timers);
    else
        while (timers->count > 0 && timer_of(timers, 0) == NULL) {
            pop(timers);
            release(timers, timers->heap[timers->count]);
        }
}

static int make_room(struct cora__timers *timers)
{
    size_t room = timers->room > 0 ? timers->room * 2 : FIRST_ROOM;
    struct cora__timer_slot *heap;
    struct cora__timer_cell *cells;

    if (timers->count < timers->room)
        return 0;
    heap = realloc(timers->heap, room * sizeof heap[0]);
    if (heap == NULL)
        return -ENOMEM;
    timers->heap = heap;
    cells = realloc(timers->cells, room * sizeof cells[0]);
    if (cells == NULL)
        return -ENOMEM;
    timers->cells = cells;
    if (timers->room == 0)
        timers->free_cell = NONE;
    timers->room = room;
    return 0;
}

int cora__timer_start(struct cora_loop *loop, struct cora__timer *timer, double when)
{
    struct cora__timers *timers = &loop->timers;
    int rc = isnan(when) ? -EINVAL : make_room(timers);

    if (rc < 0)
        return rc;
    timer->when = when;
    timer->cell = take_cell(timers, timer);
    timers->heap[timers->count++] = (struct cora__timer_slot){.when = when, .cell = timer->cell};
    move_up(timers, 0, timers->count - 1);
    /* The virtual clock stands still while work is ready: what is due now is due at once. */
    if (loop->virtual_clock && cora__loop_is_due(loop, when))
        cora__loop_look(loop);
    return 0;
}

void cora__timer_stop(struct cora_loop *loop, struct cora__timer *timer)
{
    struct cora__timers *timers = &loop->timers;

    if (timer->cell == NONE) {
        cora__list_remove(&timer->handle.link);
        return;
    }
    timers->cells[timer->cell].timer = NULL;
    timers->empty++;
    /* asyncio cleans up in every iteration; in virtual time we follow it to the letter. */
    if (must_purge(timers) || (loop->virtual_clock && timer->cell == timers->heap[0].cell))
        cora__loop_look(loop);
    timer->cell = NONE;
}

/*
 * All that is due leaves the heap first, the first one for the place farthest behind its end, and
 * is queued then. Each timer lies on a sleeper's stack, where the first touch is a cache miss and a
 * TLB miss; close behind one another the processor has several of them under way.
 */
void cora__timers_run(struct cora_loop *loop, double limit)
{
    struct cora__timers *timers = &loop->timers;
    size_t end = timers->count;

    while (timers->count > 0 && timers->heap[0].when < limit)
        pop(timers);
    while (end-- > timers->count) {
        struct cora__timer *timer = release(timers, timers->heap[end]);

        if (timer != NULL)
            cora__loop_push(loop, &timer->handle);
    }
}

void cora__timers_close(struct cora_loop *loop)
{
    struct cora__timers *timers = &loop->timers;

    for (size_t i = 0; i < timers->count; i++) {
        struct cora__timer *timer = timer_of(timers, i);

        if (timer == NULL)
            continue;
        timer->cell = NONE;
        timers->cells[timers->heap[i].cell].timer = NULL;
        cora__handle_drop(&timer->handle);
    }
    free(timers->heap);
    free(timers->cells);
    *timers = (struct cora__timers){.heap = NULL};
}

int cora_loop_set_heapq_order(cora_loop *loop, bool heapq_order)
{
    if (loop->timers.count > 0)
        return -EBUSY;
    loop->timers.heapq_order = heapq_order;
    return 0;
}
