"""Says what machine this is, in one line of JSON."""

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess

import jax

from amd_jax.devices import allocator, machine

PACKAGES = ("jax", "jaxlib", "flax", "torch")
VARIABLES = ("LD_PRELOAD", "GLIBC_TUNABLES", "XLA_FLAGS")


def commit() -> str:
    """The git commit of this checkout, marked if it has changes but for results; or "none"."""
    others = (":/", ":(top,exclude)benchmarks/results")
    try:
        name = _git("describe", "--always")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *others)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return f"{name}-dirty" if changed else name


def _git(*words: str) -> str:
    """What git says of this checkout."""
    command = ["git", "-C", os.path.dirname(__file__), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def versions() -> dict[str, str]:
    """Those of Python, libc and the packages that are there."""
    result = {"Python": platform.python_version(), "libc": " ".join(platform.libc_ver())}
    for package in PACKAGES:
        try:
            result[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return result


def main() -> None:
    """Prints the facts."""
    facts = {
        "cpu": machine.cpu(),
        "cores": os.cpu_count(),
        "versions": versions(),
        "commit": commit(),
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in jax.local_devices()],
        "allocator": allocator.keep_pages(),
        "environment": {name: os.environ.get(name, "") for name in VARIABLES},
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
