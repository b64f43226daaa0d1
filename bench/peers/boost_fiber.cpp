/* Boost.Fiber: stackful tasks in C++. It has no poller, so no echo. */
#include "../measure.h"

#include <limits.h>

#include <boost/context/detail/fcontext.hpp>
#include <boost/fiber/all.hpp>

#include <chrono>
#include <memory>
#include <vector>

namespace context = boost::context::detail;
namespace fibers = boost::fibers;

using stacks = fibers::pooled_fixedsize_stack;

static stacks &pool()
{
    static stacks the_pool(64 * 1024);
    return the_pool;
}

template <typename Body> static fibers::fiber spawn(Body body)
{
    return fibers::fiber(std::allocator_arg, pool(), body);
}

template <typename Body> static std::vector<fibers::fiber> spawn_all(Body body, long count)
{
    std::vector<fibers::fiber> all;

    all.reserve(static_cast<size_t>(count));
    for (long k = 0; k < count; k++)
        all.push_back(spawn([=] { body(k); }));
    return all;
}

static void join_all(std::vector<fibers::fiber> &all)
{
    for (auto &fiber : all)
        fiber.join();
}

/* ---- workloads ---- */

static void switch_back(context::transfer_t from)
{
    for (;;)
        from = context::jump_fcontext(from.fctx, nullptr);
}

/* The switch alone, below the fibers and their scheduler. */
static void run_switch(long)
{
    const int batch = 100000;
    static char stack[64 * 1024];
    context::transfer_t there = {context::make_fcontext(stack + sizeof stack, sizeof stack, switch_back), nullptr};

    long switches = 0;
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < batch; i++)
            there = context::jump_fcontext(there.fctx, nullptr);
        switches += 2 * batch;
    } while (!enough(start));
    report("ns", per(cpu_ns() - start, switches), NULL);
}

static bool running = true;
static long laps, unfair;

/* All yield at this place; see the same in cora/tasks.c. */
__attribute__((noinline)) static long yield_for(long most)
{
    long mine = 0;

    for (; running && mine < most; mine++)
        boost::this_fiber::yield();
    return mine;
}

__attribute__((noinline)) static long yield_apart_for(long most)
{
    for (long i = 0; i < most; i++)
        boost::this_fiber::yield();
    return most;
}

static void yielder(long)
{
    unfair += labs(yield_for(LONG_MAX) - laps) > 1;
}

/* The main task is one of the count and keeps the time: every lap of its own is one of all. */
static void yield_in_turn(long count, long (*main_yields)(long most))
{
    long batch = 1 + 100000 / count;
    auto all = spawn_all(yielder, count - 1);

    boost::this_fiber::yield(); /* now every stack has been touched */
    int64_t start = cpu_ns();
    do
        laps += main_yields(batch);
    while (!enough(start));
    int64_t elapsed = cpu_ns() - start;

    running = false;
    join_all(all);
    check(unfair == 0, "every task has its turn in every lap");
    report("ns", per(elapsed, laps) / double(count), NULL);
}

static void run_yield(long count)
{
    yield_in_turn(count, yield_for);
}

static void run_yield_apart(long count)
{
    yield_in_turn(count, yield_apart_for);
}

static long bodies_run;

static void count_body(long)
{
    bodies_run++;
}

static void run_spawn(long)
{
    const int batch = 100000;

    long spawned = 0;
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < batch; i++)
            spawn([] { count_body(0); }).join();
        spawned += batch;
    } while (!enough(start));
    int64_t elapsed = cpu_ns() - start;

    check(bodies_run == spawned, "every task runs once");
    report("ns", per(elapsed, spawned), NULL);
}

static double spawn_many_ns(long count, long rounds)
{
    int64_t start = cpu_ns();

    for (long i = 0; i < rounds; i++) {
        auto all = spawn_all(count_body, count);
        join_all(all);
    }
    return per(cpu_ns() - start, rounds * count);
}

static void run_spawn_many(long count)
{
    long rounds = rounds_of(count);
    double first = spawn_many_ns(count, 1);
    double again = spawn_many_ns(count, rounds);

    check(bodies_run == (1 + rounds) * count, "every task runs once");
    report("first_ns", first, "again_ns", again, NULL);
}

static void run_sleep(long count)
{
    int64_t start = now_ns(), cpu = cpu_ns();
    auto all = spawn_all(
        [=](long k) {
            int64_t nap = nap_ns(k, count), due = now_ns() + nap;
            boost::this_fiber::sleep_for(std::chrono::nanoseconds(nap));
            nap_ended(due);
        },
        count);

    join_all(all);
    report_naps(start, cpu, count);
}

/* An event: the fibers that are parked wait for it. */
static fibers::mutex mutex;
static fibers::condition_variable changed;
static bool is_set;
static long waiting;

static std::vector<fibers::fiber> park_all(long count)
{
    waiting = bodies_run = 0;
    is_set = false;
    auto all = spawn_all(
        [](long) {
            std::unique_lock<fibers::mutex> lock(mutex);
            waiting++;
            changed.wait(lock, [] { return is_set; });
            bodies_run++;
        },
        count);

    boost::this_fiber::yield();
    check(waiting == count && bodies_run == 0, "every task waits");
    return all;
}

static void wake_all(std::vector<fibers::fiber> &all, long count)
{
    is_set = true;
    changed.notify_all();
    join_all(all);
    check(bodies_run == count, "every task is woken and ends");
}

static double parked_ns(long count)
{
    int64_t start = cpu_ns();
    auto all = park_all(count);

    wake_all(all, count);
    return per(cpu_ns() - start, count);
}

static void run_parked(long count)
{
    double first = parked_ns(count);
    double again = parked_ns(count);

    report("first_ns", first, "again_ns", again, NULL);
}

static void run_memory(long count)
{
    struct footprint before = footprint();
    auto all = park_all(count);
    struct footprint parked = footprint();

    wake_all(all, count);
    report_memory(before, parked, count);
}

static void run_gather(long count)
{
    long gathered = 0;
    int64_t start = cpu_ns();

    do {
        auto all = spawn_all(
            [](long) {
                bodies_run++;
                boost::this_fiber::yield();
            },
            count);
        join_all(all);
        gathered += count;
    } while (!enough(start));
    int64_t elapsed = cpu_ns() - start;

    check(bodies_run == gathered, "every task runs once");
    report("ns", per(elapsed, gathered), NULL);
}

/* To and fro through two channels with room for one item: of its capacity one place is never used. */
static void run_queue(long)
{
    const int batch = 100000;
    fibers::buffered_channel<long *> there(2), back(2);
    auto other_side = spawn([&] {
        long *item;
        while (there.pop(item) == fibers::channel_op_status::success)
            back.push(item);
    });

    long sent = 0, received = 0;
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < batch; i++) {
            long *item = nullptr;
            there.push(&sent);
            back.pop(item);
            received += item == &sent;
        }
        sent += batch;
    } while (!enough(start));
    int64_t elapsed = cpu_ns() - start;

    there.close();
    other_side.join();
    check(received == sent, "every item comes back");
    report("ns", per(elapsed, sent), NULL);
}

static void run_lock(long)
{
    const int batch = 100000;
    fibers::mutex lock;
    double empty_ns = empty_call_ns();

    long locked = 0;
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < batch; i++) {
            lock.lock();
            lock.unlock();
        }
        locked += batch;
    } while (!enough(start));
    double ns = per(cpu_ns() - start, locked);
    report("ns", ns, "over_ns", ns - empty_ns, NULL);
}

static void run_fair_sleep(long)
{
    int64_t times[FAIR_NAPS];
    auto restless = spawn([] { yielder(0); });

    for (auto &time : times) {
        int64_t start = now_ns();
        boost::this_fiber::sleep_for(std::chrono::milliseconds(FAIR_NAP_MS));
        time = now_ns() - start;
    }
    running = false;
    restless.join();
    report_times(times, FAIR_NAPS, 1e6);
}

int main(int argc, char **argv)
{
    static const struct workload workloads[] = {
        {"switch", run_switch, 1},
        {"yield", run_yield, 2},
        {"yield_apart", run_yield_apart, 2},
        {"spawn", run_spawn, 1},
        {"spawn_many", run_spawn_many, 100000},
        {"parked", run_parked, 100000},
        {"gather", run_gather, 1000},
        {"memory", run_memory, 100000},
        {"queue", run_queue, 1},
        {"lock", run_lock, 1},
        {"sleep", run_sleep, 100000},
        {"fair_sleep", run_fair_sleep, 1},
        {NULL, NULL, 0},
    };

    return run_workload(argc, argv, workloads);
}
