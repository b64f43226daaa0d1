# 01_round_robin.py: two coroutines take turns until both are exhausted.


def count(name, to):
    for i in range(1, to + 1):
        print(f"{name}: {i}")
        yield


def run(coroutines):
    left = len(coroutines)
    turn = 0
    while left > 0:
        if coroutines[turn] is not None:
            try:
                next(coroutines[turn])
            except StopIteration:
                coroutines[turn] = None
                left -= 1
        turn = (turn + 1) % len(coroutines)


run([count("a", 2), count("b", 4)])
