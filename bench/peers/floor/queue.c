/* To and fro through two places with room for one. */
#include "floor.h"

struct place {
    void *item;
    struct task *waiting; /* until it is full, or empty */
};

static void wait_for(struct place *place)
{
    place->waiting = current;
    park();
}

static void wake(struct place *place)
{
    if (place->waiting) {
        make_ready(place->waiting);
        place->waiting = NULL;
    }
}

static void put(struct place *place, void *item)
{
    if (place->item)
        wait_for(place);
    place->item = item;
    wake(place);
}

static void *get(struct place *place)
{
    if (!place->item)
        wait_for(place);
    void *item = place->item;
    place->item = NULL;
    wake(place);
    return item;
}

static struct place there, back;

static void send_back(long nothing)
{
    (void)nothing;
    for (;;)
        put(&back, get(&there));
}

void run_queue(long nothing)
{
    enum { BATCH = 100000 };
    long sent = 0, received = 0;

    (void)nothing;
    spawn(send_back, 0);
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < BATCH; i++) {
            put(&there, &sent);
            received += get(&back) == &sent;
        }
        sent += BATCH;
    } while (!enough(start));
    check(received == sent, "every item comes back");
    report("ns", per(cpu_ns() - start, sent), NULL);
}
