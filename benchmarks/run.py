"""All benchmarks: prints tables, and writes what was measured as JSON.

    python -m benchmarks.run [NAME ...] [--json=FILE | --keep]
    python -m benchmarks.run --list

`--keep` writes into benchmarks/results, a file for each kind of machine; what it has of other
benchmarks stays, with its commit. `python -m benchmarks.tables` prints it.

Without names, those run that need nothing but this package: minutes on two cores. Data are made up
from a seed. One that fails says so in a line, and the others go on.
"""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import amd_jax
from benchmarks import (
    certificates,
    chains,
    compiling,
    differential,
    growth,
    machine,
    maps_diffusion,
    memory,
    overhead,
    peers,
    results,
    sized,
    soak,
    text_argmax,
    text_diffusion,
    tpu,
)
from benchmarks.processes import Failure
from benchmarks.results import Row


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What comes out, what has to be there, and how to measure."""

    says: str
    measure: Callable[[argparse.Namespace, dict[str, Any]], Iterator[Row]]  # flags, machine
    needs: str = ""  # more than the package


CHECKOUTS = {  # flags, each to be given again for other places or repositories
    "reference": "the authors' code that a benchmark names",
    "survae": "didriknielsen/survae_flows",
    "md4": "google-deepmind/md4",
}
KEPT = pathlib.Path(__file__).parent / "results"
BENCHMARKS = {
    "growth": Benchmark(
        "time and memory with growing batch, length, classes, diffusion steps, devices",
        lambda flags, machine: growth.measure(machine),
    ),
    "overhead": Benchmark(
        "the training loop beside the bare compiled step, at the quickstart's size",
        lambda flags, machine: overhead.measure(),
    ),
    "memory": Benchmark(
        "memory and time of a training step with and without rematerialisation",
        lambda flags, machine: memory.measure(
            sized.network("paper" if flags.paper_size else "small")
        ),
    ),
    "compiling": Benchmark(
        "how long every experiment compiles, the first time and the second, and in what memory",
        lambda flags, machine: compiling.measure(flags.only),
        "to be named, as it takes half an hour",
    ),
    "differential": Benchmark(
        "how far every experiment's programs are from the same without fusion",
        lambda flags, machine: differential.measure(flags.only),
        "to be named: it measures a compiler, and takes an hour",
    ),
    "certificates": Benchmark(
        "how far every sampler is from the law of the data, for the exact guess, by enumeration",
        lambda flags, machine: certificates.measure(),
        "to be named: it measures laws, not this machine",
    ),
    "chains": Benchmark(
        "how far every sampler is from chains of 1024 tokens, for the exact guess",
        lambda flags, machine: chains.measure(),
        "to be named: it measures samplers, not this machine",
    ),
    "soak": Benchmark(
        "whether a run that trains, evaluates and saves for long holds on to ever more",
        lambda flags, machine: soak.measure(flags.minutes),
        "to be named, as it takes its --minutes",
    ),
    "tpu": Benchmark(
        "what the paper's experiments need of TPUs, compiled for some that are not there",
        lambda flags, machine: tpu.measure(flags.only or tpu.EXPERIMENTS, flags.chips),
        'to be named: minutes each, and libtpu: pip install -e ".[tpu-check]"',
    ),
    "text_diffusion": Benchmark(
        "text diffusion beside the reference code",
        lambda flags, machine: text_diffusion.measure(flags.reference),
        "--reference=PATH of ehoogeboom/multinomial_diffusion",
    ),
    "text_argmax": Benchmark(
        "argmax flows of text beside the reference code",
        lambda flags, machine: text_argmax.measure(flags.reference, flags.survae),
        "--reference=PATH of didriknielsen/argmax_flows, --survae=PATH of …/survae_flows",
    ),
    "maps_diffusion": Benchmark(
        "diffusion of label maps beside the reference code",
        lambda flags, machine: maps_diffusion.measure(flags.reference),
        "--reference=PATH of ehoogeboom/multinomial_diffusion",
    ),
    "peers": Benchmark(
        "masked diffusion of text beside MD4's own code",
        lambda flags, machine: peers.measure(flags.md4),
        "--md4=PATH of google-deepmind/md4",
    ),
}


def main(arguments: list[str] | None = None) -> None:
    """Parses the flags, measures, writes; exit status 1 if a benchmark failed."""
    flags = parse(arguments)
    if flags.list:
        for name, benchmark in BENCHMARKS.items():
            print(f"{name:15} {benchmark.says}")
            print(f"{'':15} needs {benchmark.needs or 'nothing'}")
        return
    try:
        here = machine.facts()
    except Failure as failure:
        sys.exit(str(failure))
    machine.introduce(here)
    earlier, rows, failures = [], [], {}
    if flags.keep:
        KEPT.mkdir(exist_ok=True)
        flags.json = KEPT / machine.file(here)
        try:
            earlier = results.read(flags.json) if flags.json.exists() else []
        except ValueError as error:
            sys.exit(str(error))
    for name in flags.names or [n for n, b in BENCHMARKS.items() if not b.needs]:
        try:
            if why := collect(BENCHMARKS[name].measure(flags, here), rows):
                failures[name] = why
                print(f"\n{name} failed: {why}", flush=True)
        finally:  # what an interruption leaves is worth having too
            if flags.json:
                result = results.Sitting(here, rows, failures)
                results.write(flags.json, results.beside(earlier, result))
    if failures:
        sys.exit(1)


def collect(measured: Iterator[Row], rows: list[Row]) -> str | None:
    """Adds what one benchmark measures to `rows`; returns why it failed, if it did, in a line."""
    try:
        rows.extend(measured)
    except Failure as failure:
        return str(failure)
    except Exception as error:  # a mistake in one is no reason to lose the others
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    version = f"amd_jax {amd_jax.__version__}"
    parser.add_argument("--version", action="version", version=version)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; see --list")
    parser.add_argument("--list", action="store_true", help="say what there is, and what it needs")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--json", type=pathlib.Path, metavar="FILE", help="where to write")
    where.add_argument("--keep", action="store_true", help=f"write into {KEPT}")
    for flag, repository in CHECKOUTS.items():
        what = f"checkout of {repository}"
        parser.add_argument(f"--{flag}", action="append", default=[], metavar="PATH", help=what)
    parser.add_argument(
        "--paper-size", action="store_true", help="memory: the paper's network, 51.5 M parameters"
    )
    parser.add_argument(
        "--minutes", type=float, default=20.0, metavar="N", help="soak: how long (default: 20)"
    )
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=[],
        metavar="NAMES",
        help="tpu, compiling, differential: of these experiments",
    )
    parser.add_argument(
        "--chips",
        type=lambda text: [int(number) for number in text.split(",")],
        default=[1, 8, 64],
        metavar="N,N",
        help="tpu: for machines of so many chips (default: 1,8,64)",
    )
    flags = parser.parse_args(arguments)
    check(flags)
    return flags


def check(flags: argparse.Namespace) -> None:
    """Ends with a line for an unknown name, a file that cannot be written, no time at all."""
    if unknown := [name for name in flags.names if name not in BENCHMARKS]:
        sys.exit(f"There is no benchmark {unknown[0]!r}; choose among {', '.join(BENCHMARKS)}.")
    if flags.json and not flags.json.absolute().parent.is_dir():
        sys.exit(f"--json must be in a folder that exists; got {flags.json}.")
    if not 0 < flags.minutes < float("inf"):
        sys.exit(f"--minutes must be a positive number; got {flags.minutes}.")


if __name__ == "__main__":
    main()
