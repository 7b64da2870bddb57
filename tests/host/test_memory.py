"""How much memory there is: of the machine, of a container, of `ulimit -v`."""

import os

import pytest

from amd_jax.host import memory

ALL = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
FILES = {
    "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 7 kB\nSwapFree: 1 kB\n",
    "/sys/fs/cgroup/memory.max": "5000\n",
    "/sys/fs/cgroup/memory.current": "1000\n",
}


def test_of_this_machine():
    assert 0 < memory.free_bytes() <= 2 * ALL


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 4000),
        ({"/sys/fs/cgroup/memory.max": "max"}, 8 * 1024),
        ({"/sys/fs/cgroup/memory.max": ""}, 8 * 1024),
        ({"/proc/meminfo": "", "/sys/fs/cgroup/memory.max": ""}, ALL),
    ],
)
def test_the_least_of_three(change, expected, monkeypatch):
    monkeypatch.setattr(memory, "_text", lambda path: (FILES | change).get(path, ""))
    assert memory.free_bytes() == expected


def test_of_a_process(monkeypatch):
    monkeypatch.setattr(memory, "_text", lambda path: "3 2 1" if path.endswith("statm") else "")
    limits = 10 * os.sysconf("SC_PAGE_SIZE"), 0
    monkeypatch.setattr(memory.resource, "getrlimit", lambda kind: limits)
    assert memory.free_bytes() == 7 * os.sysconf("SC_PAGE_SIZE")
