"""How much memory this process may still ask for: the system ends one that takes more."""

import math
import os
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None


def check(size: int, what: str, way_out: str) -> None:
    """Raise ValueError for more bytes than are free: the system would end the process later."""
    free = free_bytes()
    if size > free:
        raise ValueError(
            f"{what} must fit into memory, of which {free:,.0f} bytes are free; they take "
            f"{size:,}. {way_out}"
        )


def free_bytes() -> float:
    """Memory that this process may still ask for, as Linux tells; elsewhere all there is."""
    return min(_left_of_machine(), _left_of_group(), _left_of_process())


def _left_of_machine() -> float:
    lines = _text("/proc/meminfo").splitlines()
    found = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
    if found:
        return 1024 * (found["MemAvailable"] + found.get("SwapFree", 0))
    if hasattr(os, "sysconf"):  # all there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return math.inf


def _left_of_group() -> float:
    """Of a container."""
    most, used = (_text(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    return int(most) - int(used) if most.isdecimal() and used.isdecimal() else math.inf


def _left_of_process() -> float:
    """Of `ulimit -v`."""
    most = resource.getrlimit(resource.RLIMIT_AS)[0] if resource else -1
    used = _text("/proc/self/statm").split()
    if resource is None or most == resource.RLIM_INFINITY or not used:
        return math.inf
    return most - int(used[0]) * resource.getpagesize()


def _text(path: str) -> str:
    """The text of a file; empty if there is none."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""
