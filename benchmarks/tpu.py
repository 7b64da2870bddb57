"""What the paper's experiments need of a TPU: compiled for one that is not there.

    python -m benchmarks.run tpu [--only=text8_diffusion,...] [--chips=1,8,64]

Every training step is compiled as a run compiles it: by `pmap`, or by `jit` with shardings where
it has shards. Its batch is divided among the chips (one row each at least). A sampler is compiled
for one chip. XLA says what they need, and the data sheet how fast they can be at most.
`--only=owt` is a network of GPT-2's size and vocabulary, `owt_in_8` the same with
--config.accumulate=8. `--only=text8_diffusion_1b,owt_1b --chips=64` are networks of 1.0 B
parameters, divided among all chips, `--only=cityscapes_argmax_remat` the flow that keeps no blocks
for its gradient.
Programs are compiled with XLA's least effort, in a quarter of the time or less; they take up to a
seventh more memory so. JAX_OPTIMIZATION_LEVEL=O2 before the command is the effort of a run.
"""

import importlib.util
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from amd_jax.devices.machine import PEAKS
from benchmarks.processes import Failure, ask
from benchmarks.results import Row

WORKER = "benchmarks.workers.tpu"
EXPERIMENTS = (
    *("text8_diffusion", "text8_argmax_ar", "text8_argmax_coupling", "text8_masked"),
    *("cityscapes_diffusion", "cityscapes_argmax"),
)
ALL = "all"  # chips
VARIED = {  # experiments with other numbers; those named 1b have 1.0 B parameters
    "text8_diffusion_1b": (
        "text8_diffusion",
        {"network.dim": 2048, "network.depth": 15, "network.remat": True}
        | {"batch_size": 512, "shards": ALL},
    ),
    "owt_1b": (
        "owt",
        {"network.width": 2048, "network.blocks": 16, "network.heads": 16}
        | {"network.remat": True, "shards": ALL}
        | {"data.vocab_size": 50_303},  # with the mask 50,304 states, which 64 chips divide
    ),
    "owt_in_8": ("owt", {"accumulate": 8}),
    "cityscapes_argmax_remat": ("cityscapes_argmax", {"network.remat": True}),
}
SHEETS = {  # bfloat16 FLOP/s, bytes of memory, bytes/s of it; cloud.google.com/tpu/docs
    "v5e": (PEAKS["TPU v5 lite"], 16 * 2**30, 819e9),
    "v6e": (PEAKS["TPU v6 lite"], 32 * 2**30, 1640e9),
}
GRIDS = {1: "1x1", 4: "2x2", 8: "2x4", 16: "4x4", 64: "8x8"}
TYPES = ("float32", "bfloat16")
SIZES = {"f32": 4, "bf16": 2, "s32": 4, "u32": 4, "s8": 1, "u8": 1, "pred": 1}
HOUR = 3600.0  # seconds of patience
HEAD = "chip, chips, dtype, work       GB   fits  TFLOP  FLOP/byte  MB sent   ms at least    batch"


def measure(
    only: Sequence[str] = EXPERIMENTS,
    chips: Sequence[int] = (1, 8, 64),
    kinds: Sequence[str] = tuple(SHEETS),
    types: Sequence[str] = TYPES,
) -> Iterator[Row]:
    """A row for each experiment, kind of chip, number of them, dtype, and piece of work."""
    if importlib.util.find_spec("libtpu") is None:
        raise Failure('libtpu is absent, which compiles for TPUs: pip install -e ".[tpu-check]"')
    if unknown := set(chips) - set(GRIDS):
        known = ", ".join(map(str, GRIDS))
        raise Failure(f"Machines have {known} chips; got {', '.join(map(str, unknown))}.")
    failures = []
    for name in only:
        print(f"\n{name}\n{HEAD}", flush=True)
        for kind, number, dtype in itertools.product(kinds, chips, types):
            try:
                yield from compiled(name, kind, number, dtype)
            except Failure as failure:  # no reason to lose the others
                failures.append(str(failure))
                print(failure, flush=True)
    if failures:
        raise Failure("; ".join(failures))


def compiled(name: str, kind: str, number: int, dtype: str) -> Iterator[Row]:
    """What a process finds that compiles one experiment for one machine."""
    file, numbers = VARIED.get(name, (name, {}))
    asked = {"experiment": file, "topology": f"{kind}:{GRIDS[number]}", "dtype": dtype}
    asked["numbers"] = {key: number if value is ALL else value for key, value in numbers.items()}
    result = ask(WORKER, False, json.dumps(asked), "", HOUR, JAX_PLATFORMS="cpu")
    where = {"experiment": name, "chip": kind, "chips": number, "dtype": dtype}
    for work, numbers in result.items():
        yield row({**where, "work": work}, numbers)


def row(where: dict[str, Any], numbers: dict[str, Any]) -> Row:
    """Prints what one program needs; its row has the least time of a step."""
    told = f"{where['chip']}, {where['chips']}, {where['dtype']}, {where['work']}"
    if size := numbers.get("too_large"):
        print(f"{told:26}{size / 1e9:7.2f}     NO", flush=True)
        more = {"fits": False, **numbers}
        return Row("tpu", where | more, *(None,) * 3, 0, "s", peak_mb=size / 1e6)
    peak, room, speed = SHEETS[where["chip"]]
    seconds = max(numbers["flops"] / peak, numbers["bytes"] / speed)
    size = numbers["arguments"] + numbers["temporary"]
    fits = size <= room
    free = (room - numbers["arguments"]) / max(numbers["temporary"], 1)
    batch = int(numbers["batch"] * free) if free > 0 else 0
    ratio = numbers["flops"] / max(numbers["bytes"], 1)
    print(
        f"{told:26}{size / 1e9:7.2f}{'yes' if fits else 'NO':>7}{numbers['flops'] / 1e12:7.2f}"
        f"{ratio:11.0f}{numbers['sent'] / 1e6:9.1f}{1e3 * seconds:14.2f}{batch:9d}",
        flush=True,
    )
    more = {"fits": fits, "filling_batch": batch, **numbers}
    return Row("tpu", where | more, *(seconds,) * 3, 1, "s", (seconds,), peak_mb=size / 1e6)


def sent(program: str) -> int:
    """Bytes that the collectives of a compiled program put out on each chip."""
    total = 0
    collectives = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
    for shapes in re.findall(rf"= (.*?) (?:{collectives})(?:-start)?\(", program):
        for kind, sizes in re.findall(r"(\w+)\[([\d,]*)\]", shapes):
            count = SIZES.get(kind, 4)
            for size in filter(None, sizes.split(",")):
                count *= int(size)
            total += count
    return total
