/* Boost.Fiber: stackful tasks in C++. It has no poller, so no echo. */
#include "../measure.h"

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
    int64_t start = now_ns();
    do {
        for (int i = 0; i < batch; i++)
            there = context::jump_fcontext(there.fctx, nullptr);
        switches += 2 * batch;
    } while (!enough(start));
    report("ns", double(now_ns() - start) / double(switches), NULL);
}

static bool running = true;
static long laps, unfair;

static void yielder(long)
{
    long mine = 0;

    for (; running; mine++)
        boost::this_fiber::yield();
    unfair += labs(mine - laps) > 1;
}

/* The main task is one of the count and keeps the time: every lap of its own is one of all. */
static void run_yield(long count)
{
    long batch = 1 + 10000 / count;
    auto all = spawn_all(yielder, count - 1);

    boost::this_fiber::yield(); /* now every stack has been touched */
    int64_t start = now_ns();
    do {
        for (long i = 0; i < batch; i++)
            boost::this_fiber::yield();
        laps += batch;
    } while (!enough(start));
    int64_t elapsed = now_ns() - start;

    running = false;
    join_all(all);
    check(unfair == 0, "every task has its turn in every lap");
    report("ns", double(elapsed) / double(laps) / double(count), NULL);
}

static long bodies_run;

static void count_body(long)
{
    bodies_run++;
}

static void run_spawn(long)
{
    const int batch = 10000;

    long spawned = 0;
    int64_t start = now_ns();
    do {
        for (int i = 0; i < batch; i++)
            spawn([] { count_body(0); }).join();
        spawned += batch;
    } while (!enough(start));
    int64_t elapsed = now_ns() - start;

    check(bodies_run == spawned, "every task runs once");
    report("ns", double(elapsed) / double(spawned), NULL);
}

static double spawn_many_ns(long count)
{
    int64_t start = now_ns();
    auto all = spawn_all(count_body, count);

    join_all(all);
    return double(now_ns() - start) / double(count);
}

static void run_spawn_many(long count)
{
    double first = spawn_many_ns(count);
    double again = spawn_many_ns(count);

    check(bodies_run == 2 * count, "every task runs once");
    report("first_ns", first, "again_ns", again, NULL);
}

static void run_sleep(long count)
{
    static long early;
    int64_t start = now_ns(), cpu = cpu_ns();
    auto all = spawn_all(
        [=](long k) {
            int64_t nap = nap_ns(k, count), due = now_ns() + nap;
            boost::this_fiber::sleep_for(std::chrono::nanoseconds(nap));
            early += now_ns() < due;
            bodies_run++;
        },
        count);

    join_all(all);
    check(bodies_run == count, "every task runs once");
    report_sleep(start, cpu, count, early);
}

static void run_memory(long count)
{
    static fibers::mutex mutex;
    static fibers::condition_variable changed;
    static bool is_set;
    struct footprint before = footprint();
    auto all = spawn_all(
        [](long) {
            std::unique_lock<fibers::mutex> lock(mutex);
            changed.wait(lock, [] { return is_set; });
            bodies_run++;
        },
        count);

    boost::this_fiber::yield();
    struct footprint parked = footprint();
    is_set = true;
    changed.notify_all();
    join_all(all);
    check(bodies_run == count, "every task runs once");
    report_memory(before, parked, count);
}

int main(int argc, char **argv)
{
    static const struct workload workloads[] = {
        {"switch", run_switch, 1},    {"yield", run_yield, 2},
        {"spawn", run_spawn, 1},      {"spawn_many", run_spawn_many, 100000},
        {"sleep", run_sleep, 100000}, {"memory", run_memory, 100000},
        {NULL, NULL, 0},
    };

    return run_workload(argc, argv, workloads);
}
