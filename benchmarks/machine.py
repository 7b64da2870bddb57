"""The machine that the numbers are of."""

import re
from typing import Any

from benchmarks import processes


def facts() -> dict[str, Any]:
    """What benchmarks.workers.machine finds, in a process that leaves the accelerator free."""
    return processes.ask("benchmarks.workers.machine", True, "")


def file(machine: dict[str, Any]) -> str:
    """The name of a file for what was measured on machines of this kind."""
    kind = machine["cpu"] if machine["backend"] == "cpu" else machine["devices"][0]
    words = re.sub(r"\((r|tm)\)", "", f"{kind} {machine['cores']} cores".lower())
    return "-".join(re.findall(r"[a-z0-9.]+", words)) + ".json"


def introduce(machine: dict[str, Any]) -> None:
    """Prints the machine, the versions, and the allocator in force."""
    names = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(f"{machine['cpu']}, {machine['cores']} cores; {names}; commit {machine['commit']}")
    print(f"{machine['backend']}: {', '.join(machine['devices'])}; {machine['date']}")
    told = "; ".join(f"{name}={value!r}" for name, value in machine["environment"].items())
    print(f"{machine['allocator']}; {told}", flush=True)
