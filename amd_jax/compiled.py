"""Compiled programs, kept in the user's cache folder for the next start."""

import hashlib
import os
import platform
import sys
from pathlib import Path

import jax

LIMIT = 2**31  # bytes of programs of this machine; the oldest go first


def keep_programs() -> Path | None:
    """Has JAX keep what took it a second or more to compile; where, or None if nowhere.

    A folder that JAX was given already (`JAX_COMPILATION_CACHE_DIR`) stays, and
    `JAX_ENABLE_COMPILATION_CACHE=false` turns it off. Programs for a CPU use what that CPU can do,
    and a home may be shared: every kind of machine has a folder of its own. Call it before JAX
    compiles anything.
    """
    if jax.config.jax_compilation_cache_dir or not jax.config.jax_enable_compilation_cache:
        return None
    try:
        folder = cache_folder() / "compiled" / kind_of_machine()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what lies there is executed
        prune(folder, LIMIT)
    except OSError:  # a home that is not there, or not ours: compiled anew, as without a cache
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    return folder


def cache_folder() -> Path:
    """The standard place for what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "amd_jax"


def kind_of_machine() -> str:
    """A name for machines that execute each other's programs."""
    told = [platform.machine(), platform.processor()]
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        told += sorted({line for line in lines if line.startswith(("flags", "Features"))})
    return f"{platform.machine()}-{hashlib.sha256(repr(told).encode()).hexdigest()[:12]}"


def prune(folder: Path, limit: int) -> None:
    """Removes the oldest files until no more than `limit` bytes are left."""
    found = sorted(((at.stat().st_mtime, at) for at in folder.iterdir()), reverse=True)
    total = 0
    for _, at in found:
        total += at.stat().st_size
        if total > limit:
            at.unlink(missing_ok=True)
