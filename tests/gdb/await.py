# await.py: where the program is, and what is in the ready queue then, at each of some functions, until
# the main task has ended.
import gdb

FUNCTIONS = ("cora_run cora__poller_wait run_batch start run_step run_callback await_pending sleep_for on_timer "
             "cora__loop_next_step finish stop_loop").split()


def offset(struct, field):
    return gdb.lookup_type(f"struct {struct}")[field].bitpos // 8


def name_of(handle):
    """A step's task by its function, or a callback by its own."""
    function = handle["fn"].format_string(symbols=True)
    if "<" in function:
        return function[function.index("<") + 1:-1]
    task = int(handle.address) - offset("cora__task", "step")
    return gdb.Value(task).cast(gdb.lookup_type("struct cora__task").pointer())["label"]["function"].string()


def ring():
    loop = gdb.parse_and_eval("cora__loop_running")
    if not loop:
        return "-"
    link = loop["ready"]["link"]["next"]
    names = []
    while link != loop["ready"]["link"].address:
        handle = gdb.Value(int(link) - offset("cora__handle", "link"))
        name = name_of(handle.cast(gdb.lookup_type("struct cora__handle").pointer()).dereference())
        names.append(f"[{name}]" if link == loop["cursor"] else name)
        link = link["next"]
    return " ".join(names) or "empty"


class Watch(gdb.Breakpoint):
    ended = False

    def stop(self):
        if not Watch.ended:
            print(f"at {self.location}: {ring()}")
        Watch.ended |= self.location == "stop_loop"
        return False


for function in FUNCTIONS:
    Watch(function)
gdb.execute("run")
