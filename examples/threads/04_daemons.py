"""04_daemons.py: which threads the end of the program waits for.

What to notice: at the end of the main thread the program waits for the others, except daemons:
these are cut off where they are, without any cleanup, so they should have nothing to lose. In
Python a daemon is stopped when it next wants the interpreter; in C it runs on until the process is
gone.
"""
import threading

beating = threading.Event()
leaving = threading.Event()
never = threading.Event()


def beat():
    print("heart: beats")
    beating.set()
    never.wait()
    print("heart: this is never printed")


def save():
    leaving.wait()
    print("saver: all is saved")


def start(function, daemon):
    threading.Thread(target=function, daemon=daemon).start()


start(beat, daemon=True)
start(save, daemon=False)
beating.wait()
print("main: returns")
leaving.set()
