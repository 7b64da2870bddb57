"""What the tests cost: seconds by file, by fixture and by kind, of the last session.

    python -m tests.costs [LINES]

A session keeps them in .pytest_cache/costs.json. Seconds are of each worker's clock, and kinds
overlap: a command in this process compiles, too.
"""

import collections
import contextlib
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

FILE = pathlib.Path(__file__).parents[1] / ".pytest_cache" / "costs.json"
COMPILING = {  # events of JAX
    "/jax/core/compile/jaxpr_trace_duration": "tracing",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lowering",
    "/jax/core/compile/backend_compile_duration": "compiling",
}
spent = collections.Counter()  # seconds since the report before, by kind
_within = set()  # kinds that are being timed


@contextlib.contextmanager
def timed(kind: str) -> Iterator[None]:
    """Adds the seconds that this takes to those of a kind, once where it is nested."""
    outer, start = kind not in _within, time.perf_counter()
    _within.add(kind)
    try:
        yield
    finally:
        if outer:
            _within.discard(kind)
            spent[kind] += time.perf_counter() - start


def install() -> None:
    """Times what is compiled, and processes that are waited for, from now on."""
    import jax

    def compiled(event: str, duration: float, **_) -> None:
        if event in COMPILING:
            spent[COMPILING[event]] += duration

    jax.monitoring.register_event_duration_secs_listener(compiled)
    for name in ("wait", "communicate"):
        setattr(subprocess.Popen, name, _waiting(getattr(subprocess.Popen, name)))


def _waiting(method):
    def wait(self, *args, **kwargs):
        with timed("processes"):
            return method(self, *args, **kwargs)

    return wait


def taken() -> dict[str, float]:
    """Seconds by kind since this was last asked."""
    result = dict(spent)
    spent.clear()
    return result


def keep(reports) -> None:
    """Writes what the reports of a session cost."""
    rows = [[r.nodeid, r.when, r.duration, getattr(r, "costs", {})] for r in reports]
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(rows))


def table(rows, lines: int) -> str:
    """Sums by file, by fixture and by kind, the largest first."""
    of = {name: collections.Counter() for name in ("file", "fixture", "kind", "test")}
    for test, when, seconds, costs in rows:
        of["file"][test.partition("::")[0]] += seconds
        of["test"][test] += seconds
        of["kind"][when] += seconds
        for kind, spent in costs.items():
            name, _, fixture = kind.partition(" ")
            of["fixture" if fixture else "kind"][fixture or name] += spent
    result = [f"{sum(row[2] for row in rows):.0f} s in {len(of['test'])} tests"]
    for name, sums in of.items():
        result += ["", f"Seconds by {name}:"]
        result += [f"{spent:8.1f}  {what}" for what, spent in sums.most_common(lines)]
    return "\n".join(result)


if __name__ == "__main__":
    print(table(json.loads(FILE.read_text()), *map(int, sys.argv[1:] or [25])))
