"""Memory that glibc keeps instead of handing it back after every step."""

import ctypes
import sys


def keep_pages() -> str:
    """Placeholder until measured."""
    if sys.platform != "linux":
        return "default"
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return "default"
    for parameter, value in ((-8, 1), (-1, 2**31 - 1), (-2, 256 << 20), (-3, 32 << 20)):
        mallopt(parameter, value)
    return "glibc, pages kept"
