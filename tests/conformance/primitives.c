/*
 * primitives.c: futures, locks and their like, queues.
 */
#include "statements.h"

#include <stdlib.h>

/* ---- futures --------------------------------------------------------------------------------- */

int op_resolve(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_future_set_result(find_thing(s->words[1])->future, atoi(s->words[2]), NULL);
}

int op_fail(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_future_set_exception(find_thing(s->words[1])->future,
                                     -FIRST_SCENARIO_ERROR - atoi(s->words[2] + 1));
}

int op_cancel_future(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say(answer, "%d", cora_future_cancel(find_thing(s->words[1])->future));
}

int op_await_future(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say_result(answer, cora_await(find_thing(s->words[1])->future));
}

int op_shield_future(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say_result(answer, cora_await_unref(cora_shield(find_thing(s->words[1])->future)));
}

int op_wait_for_future(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say_result(answer, cora_wait_for(find_thing(s->words[1])->future, seconds(s->words[2])));
}

int op_peek_future(struct actor *a, const struct statement *s, struct answer *answer)
{
    char text[64];

    (void)a;
    return say(answer, "%s", state_of(find_thing(s->words[1])->future, text, sizeof text));
}

/* ---- locks and their like -------------------------------------------------------------------- */

int op_acquire(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *thing = find_thing(s->words[1]);

    (void)a, (void)answer;
    switch (thing->kind[0]) {
    case 'l':
        return cora_lock_acquire(&thing->lock);
    case 'c':
        return cora_condition_acquire(&thing->condition);
    case 's':
        return cora_semaphore_acquire(&thing->semaphore);
    default:
        return cora_bounded_semaphore_acquire(&thing->bounded);
    }
}

int op_release(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *thing = find_thing(s->words[1]);

    (void)a, (void)answer;
    switch (thing->kind[0]) {
    case 'l':
        return cora_lock_release(&thing->lock);
    case 'c':
        return cora_condition_release(&thing->condition);
    case 's':
        cora_semaphore_release(&thing->semaphore);
        return 0;
    default:
        return cora_bounded_semaphore_release(&thing->bounded);
    }
}

int op_locked(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *thing = find_thing(s->words[1]);

    (void)a;
    switch (thing->kind[0]) {
    case 'l':
        return say(answer, "%d", cora_lock_locked(&thing->lock));
    case 'c':
        return say(answer, "%d", cora_condition_locked(&thing->condition));
    case 's':
        return say(answer, "%d", cora_semaphore_locked(&thing->semaphore));
    default:
        return say(answer, "%d", cora_bounded_semaphore_locked(&thing->bounded));
    }
}

int op_set(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    cora_event_set(&find_thing(s->words[1])->event);
    return 0;
}

int op_clear(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    cora_event_clear(&find_thing(s->words[1])->event);
    return 0;
}

int op_is_set(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say(answer, "%d", cora_event_is_set(&find_thing(s->words[1])->event));
}

int op_wait(struct actor *a, const struct statement *s, struct answer *answer)
{
    struct thing *thing = find_thing(s->words[1]);

    (void)a, (void)answer;
    return thing->kind[0] == 'e' ? cora_event_wait(&thing->event)
                                 : cora_condition_wait(&thing->condition);
}

static bool event_is_set(void *event)
{
    return cora_event_is_set(event);
}

int op_wait_set(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_condition_wait_for(&find_thing(s->words[1])->condition, event_is_set,
                                   &find_thing(s->words[2])->event);
}

int op_notify(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_condition_notify(&find_thing(s->words[1])->condition, atoi(s->words[2]));
}

int op_notify_all(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_condition_notify_all(&find_thing(s->words[1])->condition);
}

int op_meet(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a;
    return say_result(answer, cora_barrier_wait(&find_thing(s->words[1])->barrier));
}

int op_reset(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_barrier_reset(&find_thing(s->words[1])->barrier);
}

int op_abort(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_barrier_abort(&find_thing(s->words[1])->barrier);
}

int op_barrier(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_barrier *barrier = &find_thing(s->words[1])->barrier;

    (void)a;
    return say(answer, "parties=%d waiting=%d broken=%d", cora_barrier_parties(barrier),
               cora_barrier_n_waiting(barrier), cora_barrier_broken(barrier));
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void *item(const char *word)
{
    return (void *)(intptr_t)atoi(word);
}

int op_put(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_queue_put(&find_thing(s->words[1])->queue, item(s->words[2]));
}

int op_put_nowait(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_queue_put_nowait(&find_thing(s->words[1])->queue, item(s->words[2]));
}

int op_get(struct actor *a, const struct statement *s, struct answer *answer)
{
    void *got = NULL;
    int rc = cora_queue_get(&find_thing(s->words[1])->queue, &got);

    (void)a;
    return rc < 0 ? rc : say(answer, "%d", (int)(intptr_t)got);
}

int op_get_nowait(struct actor *a, const struct statement *s, struct answer *answer)
{
    void *got = NULL;
    int rc = cora_queue_get_nowait(&find_thing(s->words[1])->queue, &got);

    (void)a;
    return rc < 0 ? rc : say(answer, "%d", (int)(intptr_t)got);
}

int op_task_done(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_queue_task_done(&find_thing(s->words[1])->queue);
}

int op_join(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    return cora_queue_join(&find_thing(s->words[1])->queue);
}

int op_queue(struct actor *a, const struct statement *s, struct answer *answer)
{
    cora_queue *queue = &find_thing(s->words[1])->queue;

    (void)a;
    return say(answer, "size=%zu full=%d empty=%d", cora_queue_qsize(queue), cora_queue_full(queue),
               cora_queue_empty(queue));
}

int op_shutdown(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    cora_queue_shutdown(&find_thing(s->words[1])->queue, false);
    return 0;
}

int op_shutdown_now(struct actor *a, const struct statement *s, struct answer *answer)
{
    (void)a, (void)answer;
    cora_queue_shutdown(&find_thing(s->words[1])->queue, true);
    return 0;
}
