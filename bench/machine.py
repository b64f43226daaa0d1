"""What machine the figures are of."""

import os
import platform
from pathlib import Path


def value_of(path, name):
    """What follows `name:` in the file's first line that begins so."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def free_gigabytes():
    return int((value_of("/proc/meminfo", "MemAvailable") or "0 kB").split()[0]) / 1e6


def caches():
    """{"L1d": bytes, "L2": bytes, ...} of the first processor."""
    sizes = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            sizes[f"L{level}{'d' if kind == 'Data' else ''}"] = int(size.removesuffix("K")) * 1024
    return sizes


def about():
    return {"system": f"{platform.system()} {platform.release()}",
            "processor": value_of("/proc/cpuinfo", "model name"), "cpus": os.cpu_count(), "caches": caches(),
            "python": platform.python_version(), "load": os.getloadavg()[0]}
