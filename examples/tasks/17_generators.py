"""17_generators.py: functions that hand out one value after the other.

What to notice: a generator needs no loop; here there is none in the whole program. `countdown` runs
from yield to yield, as far as it is asked to. What is sent into it is the value of the yield.
Closing one that is suspended raises GeneratorExit from its yield, so that it can clean up. Python's
coroutines were made of these; C's generators and tasks are made of one and the same, too.
"""


def countdown(start):
    for i in range(start, 0, -1):
        try:
            yield i
        except GeneratorExit:
            print(f"stopped at {i}")
            raise


def average():
    """Yields the average of all that was sent."""
    total = mean = 0.0
    count = 0
    while True:
        count += 1
        total += yield mean
        mean = total / count


def launch():
    for number in countdown(3):
        print(number)
    print("lift-off")


def abort_launch():
    numbers = countdown(10)
    print(next(numbers))
    numbers.close()


def follow():
    means = average()
    next(means)  # up to the first yield
    for temperature in (10, 20, 60):
        mean = means.send(temperature)
        print(f"{temperature:.1f}, on average {mean:.1f}")


launch()
abort_launch()
follow()
