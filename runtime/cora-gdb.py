# cora-gdb.py: tasks in gdb, in a live program as in a core dump.
#
#     (gdb) source cora-gdb.py
#     (gdb) cora tasks             every task, what it does and what it waits for
#     (gdb) cora bt TASK           where it is; TASK is its number, name or address
#     (gdb) cora bt all
#
# The registers of a core dump cannot be written, so a parked stack is shown as if it had called the
# newest frame of the thread: an unwinder says, of that frame alone, that its caller's registers are
# those which the switch has saved. From there on gdb goes by the compiler's unwind tables. The
# other registers are dead across the switch: what was in them is <optimized out>.

import contextlib
import re

import gdb
import gdb.unwinder


# ---- parked stacks -------------------------------------------------------------------------------

# In the order of gregset_t.
X86_64_GREGS = "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip".split()


def saved_registers(place):
    """What a switch has saved at `place`, by name."""
    try:
        frame = pointer(place, "struct cora__context_frame")
    except gdb.error:
        return ucontext_registers(pointer(place, "ucontext_t")["uc_mcontext"])
    sp = gdb.Value(int(frame + 1))
    if "bp" in fields_of(frame.dereference()):
        pc = frame["pc"]
        if int(pc) == address_of("cora__context_resume_rounded"):
            rounded = pointer(sp, "struct cora__context_rounded")
            sp, pc = gdb.Value(int(rounded + 1)), rounded["pc"]
        return {"rsp": sp, "rip": pc, "rbp": frame["bp"]}
    return {"sp": sp, "pc": frame["pc"], "x29": frame["fp"]}


def ucontext_registers(machine):
    fields = fields_of(machine)
    if "gregs" in fields and machine["gregs"].type.strip_typedefs().range() == (0, 22):
        return {name: machine["gregs"][i] for i, name in enumerate(X86_64_GREGS)}
    if "pstate" in fields:  # AArch64
        registers = {f"x{i}": machine["regs"][i] for i in range(31)}
        return dict(registers, sp=machine["sp"], pc=machine["pc"])
    raise gdb.GdbError("what a ucontext_t saves is not known for this machine")


def address_of(symbol):
    return int(gdb.parse_and_eval(f"(unsigned long)&{symbol}"))


def fields_of(value):
    return {field.name for field in value.type.fields()}


def pointer(address, type_name):
    return gdb.Value(int(address)).cast(gdb.lookup_type(type_name).pointer())


class FrameId:
    """One below the frames of the parked stack: gdb wants the older frames to lie higher."""

    def __init__(self, registers):
        self.sp = registers["rsp" if "rsp" in registers else "sp"]
        self.pc = registers["rip" if "rip" in registers else "pc"]


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """Makes the registers given the caller's of the thread's newest frame, while it is enabled."""

    def __init__(self):
        super().__init__("cora")
        self.enabled = False

    def __call__(self, frame):
        if frame.read_register("sp") != self.newest_sp:
            return None
        info = frame.create_unwind_info(FrameId(self.registers))
        for name, value in self.registers.items():
            info.add_saved_register(name, value)
        return info

    def backtrace(self, place, options):
        self.registers = saved_registers(place)
        self.newest_sp = gdb.newest_frame().read_register("sp")
        # past-main: the newest frame may be main's, and yet it has a caller now.
        with gdb.with_parameter("backtrace past-main", True):
            self.enabled = True
            gdb.invalidate_cached_frames()
            try:
                self.print_older_frames(options)
            finally:
                self.enabled = False
                gdb.invalidate_cached_frames()

    def print_older_frames(self, options):
        newest = older = 0  # frames; the newest one may come with some inlined into it
        frame = gdb.newest_frame()
        while frame is not None:
            if frame.read_register("sp") == self.newest_sp:
                newest += 1
            else:
                older += 1
            frame = frame.older()
        if older > 0:
            text = gdb.execute(f"backtrace {options} -{older}", to_string=True)
            number = re.compile(r"^#(\d+) *", re.MULTILINE)  # from 0 on, as in any backtrace
            print(number.sub(lambda match: f"#{int(match[1]) - newest:<3}", text), end="")


unwinder = ParkedUnwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


# ---- loops and tasks -----------------------------------------------------------------------------

PENDING = 0  # enum cora__future_state


@contextlib.contextmanager
def errors_shown():
    """What cannot be read in one place, of a damaged program, does not hide the rest."""
    try:
        yield
    except gdb.error as error:
        print(error)


def text(string):
    return string.string("utf-8", "replace")


def container(address, type_name, member):
    """The struct of which this is the address of a member."""
    offset = gdb.lookup_type(type_name)[member].bitpos // 8
    return pointer(int(address) - offset, type_name)


class Task:
    def __init__(self, future, thread=None):
        self.future = int(future)  # its address for the program: what is a cora_task there
        self.task = container(future, "struct cora__task", "future")
        self.thread = thread  # that runs its loop

    @property
    def number(self):
        return int(self.task["label"]["number"])

    @property
    def name(self):
        name = self.task["label"]["name"]
        return text(name) if name else f"Task-{self.number}"

    @property
    def function(self):
        return text(self.task["label"]["function"])

    @property
    def running(self):
        return self.task["future"]["loop"]["cursor"] == self.task["step"]["link"].address

    def state(self):
        target = self.task["waiting_on"]
        if self.running:
            return "running"
        if not self.task["step"]["coroutine"]:
            return "not started"
        if not target or target["state"] != PENDING:
            return "queued"
        return f"waiting for {self.describe(target)}"

    @staticmethod
    def describe(target):
        if target["kind"] == gdb.parse_and_eval("&cora__task_kind"):
            task = Task(target)
            return f"task '{task.name}' (function {task.function})"
        place = target["value"] if target["value"] else target
        return f"{text(target['what'])} at {int(place):#x}"

    def backtrace(self, options):
        """Of each stack that it is on: a generator's, and that of the task which runs it."""
        print(f"{self.number} '{self.name}' (function {self.function}) {self.state()}")
        coroutine = self.task["step"]["coroutine"]
        if self.running:
            if self.thread is None:
                print("by a thread that cannot be told; see thread apply all bt")
                return
            self.thread.switch()
            gdb.execute(f"backtrace {options}")
            coroutine = gdb.parse_and_eval("cora__strand")["coroutine"]["caller"]
        elif coroutine:
            unwinder.backtrace(self.task["step"]["sp"], options)
            coroutine = coroutine["caller"]
        while coroutine:
            print("resumed by")
            unwinder.backtrace(coroutine["sp"], options)
            coroutine = coroutine["caller"]


given_loop = None  # of the last cora tasks LOOP: one that no thread is running, perhaps


def known_loops():
    """(loop, the thread that runs it or None): those of all threads, and the one given."""
    found = []
    problem = "no thread is running a loop"
    threads = sorted(gdb.selected_inferior().threads(), key=lambda thread: thread.num)
    for thread in threads:
        thread.switch()
        try:
            loop = gdb.parse_and_eval("cora__loop_running")
            if loop:
                found.append((loop, thread))
        except gdb.error as error:  # no access to thread-local variables
            problem = str(error)
    if given_loop is not None and all(loop != given_loop for loop, _ in found):
        found.append((given_loop, threads[0] if len(threads) == 1 else None))
    if not found:
        raise gdb.GdbError(f"{problem}; try cora tasks with the address of a loop")
    return found


def tasks_of(loop, thread):
    """In the order of their creation."""
    head = loop["all_tasks"].address
    before, link = head, head["next"]
    with errors_shown():
        while link != head:
            if link["prev"] != before:
                raise gdb.error("from here on the loop's list of tasks is damaged")
            yield Task(container(link, "struct cora__task", "link")["future"].address, thread)
            before, link = link, link["next"]


def find_tasks(what):
    tasks = []
    try:
        for loop, thread in known_loops():
            tasks.extend(tasks_of(loop, thread))
    except gdb.GdbError:
        if what == "all":
            raise
    found = [task for task in tasks if what in ("all", str(task.number), task.name)]
    if found or what == "all":
        return found
    try:
        address = int(gdb.parse_and_eval(what))
    except gdb.error:
        address = 0
    if address < 4096:  # a number, not an address
        raise gdb.GdbError(f"there is no task '{what}'")
    return [task for task in tasks if task.future == address] or [Task(address)]


# ---- commands ------------------------------------------------------------------------------------


class Cora(gdb.Command):
    """The tasks of a program that uses cora."""

    def __init__(self):
        super().__init__("cora", gdb.COMMAND_STACK, prefix=True)


class Command(gdb.Command):
    def __init__(self, name):
        super().__init__(name, gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        thread = gdb.selected_thread()
        if thread is None:
            raise gdb.GdbError("there is no process and no core dump")
        try:
            gdb.lookup_type("struct cora__task")
        except gdb.error:
            raise gdb.GdbError("the program has no debugging information about cora")
        frame = gdb.selected_frame()
        try:
            self.run(gdb.string_to_argv(argument))
        except gdb.error as error:
            raise gdb.GdbError(str(error))
        finally:
            thread.switch()
            frame.select()


class Tasks(Command):
    """List the tasks that are not done.

    cora tasks          of the loops that threads are running
    cora tasks LOOP     of the loop at this address; cora bt then knows its tasks, too"""

    def run(self, arguments):
        global given_loop
        given_loop = None
        if arguments:
            given_loop = pointer(gdb.parse_and_eval(arguments[0]), "struct cora_loop")
        for loop, thread in known_loops():
            if given_loop is not None and loop != given_loop:
                continue
            runs = loop["is_running"] and thread is not None
            print(f"loop {int(loop):#x}", f"run by thread {thread.num}" if runs else "not running")
            for task in tasks_of(loop, thread):
                with errors_shown():
                    print(
                        f"{task.number:6}  {task.future:#x}  {task.name:16}"
                        f"  {task.function:20}  {task.state()}"
                    )


class Backtrace(Command):
    """Print the backtrace of a task, down to its first frame.

    cora bt TASK [OPTION...]    TASK is a number, a name or an address
    cora bt all [OPTION...]     of every task
    The options are those of backtrace: full, say."""

    def run(self, arguments):
        if not arguments:
            raise gdb.GdbError("cora bt TASK, or cora bt all")
        for task in find_tasks(arguments[0]):
            with errors_shown():
                task.backtrace(" ".join(arguments[1:]))
            print()


Cora()
Tasks("cora tasks")
Backtrace("cora bt")
