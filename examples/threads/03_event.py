"""03_event.py: threads that tell each other that something has happened.

What to notice: nobody looks again and again whether a flag is set, and nobody sleeps for a time
that may be enough: who waits is woken. With a timeout, wait is also a sleep that can be cut short:
a worker that does something now and then, until it is told to stop, waits for the event that tells
it. A thread cannot be cancelled from outside as a task can.
"""
import threading


def measure(measured, stop):
    print("thermometer: 21 degrees")
    measured.set()
    while not stop.wait(0.01):
        pass  # and once more
    print("thermometer: told to stop")


def measure_for_a_while(thread, measured, stop):
    print("main:", "something is measured" if measured.wait(0) else "nothing is measured yet")
    thread.start()
    measured.wait()
    print("main: it works")
    stop.set()
    thread.join()
    print("main: it has ended")


measured = threading.Event()
stop = threading.Event()
thread = threading.Thread(target=measure, args=(measured, stop))
measure_for_a_while(thread, measured, stop)
