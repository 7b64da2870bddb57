"""Makes glibc keep freed memory instead of returning it after every step."""

import ctypes
import sys
from collections.abc import Callable

ARENA_MAX, TRIM_THRESHOLD, MMAP_MAX = -8, -1, -4  # names of mallopt(3)


def keep_pages() -> str:
    """Tells glibc's malloc to keep what is freed; returns what is in force, in words.

    On a CPU, XLA allocates the scratch memory of a training step anew at every step, and malloc
    maps so large a block from the system and gives it back at the end: every page of it is
    faulted in and zeroed again. Here all blocks come from one heap that never shrinks. Call it
    before JAX runs anything.

    The price is memory: the heap settles above the scratch memory of a step. Do without it when a
    step needs several GB. Off Linux and glibc nothing happens.
    """
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return "the default allocator"
    settings = {ARENA_MAX: 1, TRIM_THRESHOLD: -1, MMAP_MAX: 0}  # one heap, no trimming, no mmap
    if not all([mallopt(name, value) for name, value in settings.items()]):
        return "glibc malloc, which refused to keep its pages"
    return "glibc malloc, pages kept"


def release() -> None:
    """Hands back to the system what is free now, such as what compiling has left behind."""
    if trim := _glibc("malloc_trim"):
        trim(0)


def _glibc(name: str) -> Callable | None:
    """A function of glibc, None off Linux and glibc."""
    try:
        return ctypes.CDLL(None)[name] if sys.platform == "linux" else None
    except (AttributeError, OSError):
        return None
