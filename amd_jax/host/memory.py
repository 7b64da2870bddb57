"""How much memory this process may still allocate before the system ends it."""

import math
import os
from pathlib import Path
from types import ModuleType

resource: ModuleType | None
try:
    import resource
except ImportError:  # Windows
    resource = None

GROUPS = "/sys/fs/cgroup"
COMPILER = 1 << 28  # bytes that XLA takes to compile a small program, about
NO_LIMIT = 1 << 60  # from here on a number of cgroup v1 stands for none


def check(size: int, what: str, way_out: str, free: float | None = None) -> None:
    """Raise ValueError for more bytes than are free: the system would end the process later.

    Free is what `free_bytes` says, unless another number is given, as of a device.
    """
    free = free_bytes() if free is None else free
    if size > free:
        raise ValueError(
            f"{what} must fit into memory, of which {free:,.0f} bytes are free; they take "
            f"{size:,}. {way_out}"
        )


def check_compiler() -> None:
    """Raise ValueError where a compiler would find no room: it ends the process, or hangs."""
    way_out = "Close other programs, or raise the limit (ulimit -v)."
    check(COMPILER, "What a compiler makes", way_out)


def free_bytes() -> float:
    """Memory that this process may still ask for, as Linux tells; elsewhere all there is."""
    return max(0, min(_left_of_machine(), _left_of_group(), _left_of_process()))


def _left_of_machine() -> float:
    lines = _text("/proc/meminfo").splitlines()
    result = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
    if result:
        return 1024 * (result["MemAvailable"] + result.get("SwapFree", 0))
    if hasattr(os, "sysconf"):  # all there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return math.inf


def _left_of_group() -> float:
    """Of a container, or of any group that this process is in: cgroup v2, and v1."""
    left = [_left_of(GROUPS, "memory.max", "memory.current", "inactive_file")]
    for line in _text("/proc/self/cgroup").splitlines():
        _, kinds, path = line.split(":", 2)
        folder, names = Path(GROUPS), ("memory.max", "memory.current", "inactive_file")
        if kinds and "memory" not in kinds.split(","):
            continue
        if kinds:
            folder /= "memory"
            names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        own = folder / path.lstrip("/")
        left += [_left_of(str(at), *names) for at in _upwards(own, folder)]
    return min(left)


def _upwards(path: Path, end: Path) -> list[Path]:
    """A folder below another one and all between them, both included."""
    return [at for at in (path, *path.parents) if at.is_relative_to(end)]


def _left_of(folder: str, most: str, used: str, files: str) -> float:
    """Of one group; what it has read from files is given up where memory is short."""
    limit, now = (_text(f"{folder}/{name}").strip() for name in (most, used))
    if not limit.isdecimal() or not now.isdecimal() or int(limit) >= NO_LIMIT:
        return math.inf
    lines = (line.split() for line in _text(f"{folder}/memory.stat").splitlines())
    kept = {name: int(value) for name, value in lines}
    return int(limit) - int(now) + kept.get(files, 0)


def _left_of_process() -> float:
    """Of `ulimit -v`, and of `ulimit -d`."""
    pages = [*map(int, _text("/proc/self/statm").split())]
    if resource is None or not pages:
        return math.inf
    used = {resource.RLIMIT_AS: pages[0], resource.RLIMIT_DATA: sum(pages[5:6])}
    limits = {kind: resource.getrlimit(kind)[0] for kind in used}
    page = resource.getpagesize()
    left = [
        most - page * used[kind] for kind, most in limits.items() if most != resource.RLIM_INFINITY
    ]
    return min(left, default=math.inf)


def _text(path: str) -> str:
    """The text of a file; empty if there is none."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""
