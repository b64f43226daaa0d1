"""21_logging.py: log lines that name the task and the thread.

What to notice: tasks are named when they are created, and so are the threads of an executor. The
logging module knows the thread by itself, but the task only from Python 3.12 on (%(taskName)s):
until then a filter adds it. In a thread of the pool there is no current task.
"""
import asyncio
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor


def add_task(record):
    try:
        record.task = asyncio.current_task().get_name()
    except RuntimeError:  # no loop is running in this thread
        record.task = "-"
    return True


def set_up_logging():
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(add_task)
    form = "%(levelname)s %(threadName)-6s %(task)-8s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, handlers=[handler])


def resize(picture):
    logging.info("%s: resizing", picture)
    return 4711


async def publish(picture):
    size = await asyncio.to_thread(resize, picture)
    logging.info("%s: %d bytes", picture, size)


async def gallery():
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pool")
    asyncio.get_running_loop().set_default_executor(pool)
    asyncio.current_task().set_name("gallery")
    logging.info("opening")
    await asyncio.create_task(publish("sunset.jpg"), name="sunset")
    await asyncio.create_task(publish("sunrise.jpg"), name="sunrise")
    logging.info("closing")


threading.current_thread().name = "main"
set_up_logging()
asyncio.run(gallery())
