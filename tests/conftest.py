"""Two virtual CPU devices on every machine, and no way to write outside tmp_path by accident.

What is compiled is kept in .pytest_cache, where workers, processes that tests start and the next
session find it: most of the time goes into compiling.
"""

import collections
import contextlib
import gc
import os
import pathlib
import time
import zlib

import pytest

# All of these are read when jax or tensorflow_datasets is first imported, hence at the top of this
# file; processes that tests start inherit them.
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # GPU tests: JAX_PLATFORMS=cuda pytest -m gpu
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")  # enough for pmean, psum and sharding to matter
COMPILED = pathlib.Path(__file__).parents[1] / ".pytest_cache" / "compiled"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(COMPILED))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
os.environ["TFDS_DATA_DIR"] = os.devnull  # a loader that is not given a folder fails at once

# Most of the time goes into compiling, so programs are compiled in haste: half of it. XLA_FLAGS
# that are given are obeyed as they are; XLA_FLAGS="" compiles as users do, and .ci/run does so.
AS_GIVEN = "XLA_FLAGS" in os.environ or os.environ["JAX_PLATFORMS"] != "cpu"
HASTE = (
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
)

from tests import costs, typechecker  # noqa: E402  imports flax

if typechecker.ASKED:
    typechecker.install()


def compile_in_haste():
    """Does so in this process, where XLA reads its flags once; those that tests start do not."""
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # which holds for them, too
    os.environ["XLA_FLAGS"] = HASTE
    import jax

    import amd_jax  # noqa: F401  adds a flag

    jax.block_until_ready(jax.jit(lambda: 0)())
    flags = os.environ["XLA_FLAGS"].removeprefix(HASTE).strip()
    os.environ.pop("XLA_FLAGS")
    os.environ |= {"XLA_FLAGS": flags} if flags else {}


def compiling_alike():
    """The environment of a process that compiles as this one does, to the same bits."""
    return {} if AS_GIVEN else {"XLA_FLAGS": f"{HASTE} {os.environ.get('XLA_FLAGS', '')}"}


if not AS_GIVEN:
    compile_in_haste()

costs.install()
gc.set_threshold(200_000, 20, 50)  # what JAX traces is many objects, and few cycles


@pytest.fixture(autouse=True, scope="session")
def _what_is_logged():
    """Stands on stderr, as in a command."""
    from amd_jax.host import log

    with log.on_console():
        yield


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Leaves most cases of tests with many to the night, and sorts the longest test first.

    So no worker is left alone with the longest at the end. See the marker "few" in pyproject.toml.
    """
    tests = collections.defaultdict(list)
    for item in items:
        if item.get_closest_marker("few"):
            tests[item.nodeid.partition("[")[0]].append(item)
    for name, every in tests.items():
        quick = [item for item in every if not item.get_closest_marker("slow")]
        first = quick or [item for item in every if not item.get_closest_marker("exhaustive")]
        (number,) = every[0].get_closest_marker("few").args
        start = 0 if quick else zlib.crc32(name.encode())  # other cases in other slow tests
        chosen = {(start + i * len(first) // number) % len(first) for i in range(number) if first}
        few = [first[i] for i in chosen]
        for item in every:
            if item not in few:
                item.add_marker("slow")
                item.add_marker("exhaustive")
    items.sort(key=lambda item: "test_readme_commands" not in item.nodeid)


def pytest_runtest_setup(item):
    """Skip GPU tests, also those asked for by name, where there is no GPU."""
    if item.get_closest_marker("gpu"):
        import jax

        if jax.default_backend() != "gpu":
            pytest.skip("needs a GPU: JAX_PLATFORMS=cuda python -m pytest -m gpu")


@pytest.fixture
def any_types():
    """Arguments of any type, which the package is to refuse by itself, or which are stand-ins."""
    with typechecker.off():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Checks annotations in default tests; slow ones are of numbers, and of whole commands."""
    slow = item.get_closest_marker("slow") is not None
    with typechecker.off() if slow else contextlib.nullcontext():
        return (yield)


@pytest.fixture(autouse=True)
def room_for_programs():
    """Forgets compiled programs, before the 65,530 memory maps of a process are used up."""
    start = time.monotonic()
    yield
    maps = pathlib.Path("/proc/self/maps")
    if time.monotonic() - start < 0.5 or not maps.exists():  # counting maps takes time, too
        return
    if maps.read_bytes().count(b"\n") > 35_000:
        import jax

        jax.clear_caches()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef):
    with costs.timed(f"fixture {fixturedef.argname}"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    report.costs = costs.taken()
    return report


def pytest_sessionfinish(session):
    """Keeps what the tests cost: python -m tests.costs."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal and not hasattr(session.config, "workerinput"):
        reports = (report for several in terminal.stats.values() for report in several)
        costs.keep([report for report in reports if hasattr(report, "duration")])


def pytest_terminal_summary(terminalreporter):
    """A table of the faults that were sent, with those of the slow tests, or where asked for."""
    asked = terminalreporter.config
    if "not slow" in asked.option.markexpr and not any("faults" in name for name in asked.args):
        return
    rows = []
    for outcome, word in (("passed", "held"), ("failed", "FAILED"), ("skipped", "not sent")):
        for result in terminalreporter.stats.get(outcome, ()):
            if "tests/faults/" not in result.nodeid or getattr(result, "when", "") == "teardown":
                continue
            told = [value for name, value in result.user_properties if name == "fault"]
            name = result.nodeid.partition("tests/faults/")[2].replace(".py::test_", ": ")
            rows += [(word, *row) for row in told or [(name, "as its test says", word)]]
    if rows:
        terminalreporter.section(f"{len(rows)} faults")
    for word, fault, expected, seen in sorted(rows):
        terminalreporter.line(f"{word:8} | {fault:.70} | {expected:.70} | {seen:.110}")
