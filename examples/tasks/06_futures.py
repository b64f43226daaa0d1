"""06_futures.py: a result that somebody else will bring.

What to notice: a future is an outcome that is not there yet. Whoever has it may wait; whoever is to
bring the outcome sets it, once, and need not be a coroutine: here it is a timer's callback. This is
how code with callbacks becomes something to `await`. A task is a future that its own coroutine
completes.
"""
import asyncio


def answer(future):
    print("the answer arrives")
    future.set_result((42, "forty-two"))


def hang_up(future):
    print("the line is dead")
    future.set_exception(ConnectionResetError())


async def ask(reply):
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    timer = loop.call_later(0.01, reply, future)
    try:
        print("asked; done:", "yes" if future.done() else "no")
        number, words = await future
        print(f"it is {number}, in words {words}")
    finally:
        print("at the end; done:", "yes" if future.done() else "no")
        timer.cancel()


async def ask_twice():
    await ask(answer)
    try:
        await ask(hang_up)
    except ConnectionResetError:
        print("no answer: connection reset")


asyncio.run(ask_twice())
