"""The machine that the numbers are of."""

from typing import Any

from benchmarks import processes


def facts() -> dict[str, Any]:
    """What benchmarks.workers.machine finds, in a process that leaves the accelerator free."""
    return processes.ask("benchmarks.workers.machine", True, "")


def introduce(machine: dict[str, Any]) -> None:
    """Prints the machine, the versions, and the allocator in force."""
    names = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(f"{machine['cpu']}, {machine['cores']} cores; {names}; commit {machine['commit']}")
    print(f"{machine['backend']}: {', '.join(machine['devices'])}; {machine['date']}")
    told = "; ".join(f"{name}={value!r}" for name, value in machine["environment"].items())
    print(f"{machine['allocator']}; {told}", flush=True)
