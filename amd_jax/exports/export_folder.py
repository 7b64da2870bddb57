"""The folder of an exported model: weights, config, card and checksums; no code and no pickle.

model.safetensors (parameters, and arrays that the model is made of), config.json (the model as a
`description`, the facts of its data, what was trained and measured), README.md (the card, which is
for people and may be edited), checksums.json (SHA-256 of the first two). Model hubs expect these
names. The folder may be read from anywhere that epath knows.
"""

import contextlib
import functools
import hashlib
import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy

from amd_jax.evaluation.measurement import Measurement
from amd_jax.exports import description, shapes, tensors
from amd_jax.exports.tensors import Tensor
from amd_jax.facts import Facts, Json, field_types, from_json, tuples
from amd_jax.host import filesystem, memory
from amd_jax.runs import manifest, run_files
from amd_jax.types import Array, Model, Params

FORMAT = 1  # of config.json; a program reads its own and older ones
WEIGHTS, CONFIG, CARD, CHECKSUMS = (
    "model.safetensors",
    "config.json",
    "README.md",
    "checksums.json",
)
KINDS = {"format": int, "model": dict, "facts": dict, "run": dict}
RUN = {  # further fields of the run, if they are there
    "experiment": str | None,
    "seconds": float | None,
    "digests": dict[str, str] | None,
    "versions": dict[str, str] | None,
}
OWN = 1 << 30  # bytes of the arrays that a model is made of
PARAMS = "params/"  # before the keys of parameters; those of the model's own arrays have none


class ChangedError(ValueError):
    """A file is not as it was written."""


class Exported(NamedTuple):
    """What an exported folder holds."""

    model: Model
    params: Params
    facts: Facts
    run: Json  # what was trained: experiment, config, step, digests of the data
    results: list[Measurement]


def write(
    folder: Path,
    model: Model,
    params: Params,
    facts: Facts,
    *,
    run: Json,
    results: Sequence[Measurement],
    card: str,
    half: bool = False,
) -> int:
    """Writes a folder, and opens it again; returns its size in bytes. See `describe` for `half`.

    Raises ValueError as `describe` does, and for a folder that cannot be read, left incomplete.
    """
    described, tensors = describe(model, params, facts, half=half)
    config = {"format": FORMAT, **described, "run": run}
    config["results"] = [figure.to_json() for figure in results]
    files = {
        WEIGHTS: safetensors.numpy.save(tensors, metadata={"library": "amd_jax"}),
        CONFIG: f"{json.dumps(config, indent=1)}\n".encode(),
        CARD: card.encode(),
    }
    sums = {name: hashlib.sha256(files[name]).hexdigest() for name in (WEIGHTS, CONFIG)}
    files[CHECKSUMS] = f"{json.dumps(sums, indent=1)}\n".encode()  # last: then it is complete
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CHECKSUMS).unlink(missing_ok=True)
    for name, content in files.items():
        filesystem.write(folder / name, content)
    try:
        read(folder)
    except ValueError:
        (folder / CHECKSUMS).unlink(missing_ok=True)
        raise
    return sum(map(len, files.values()))


def describe(
    model: Model, params: Params, facts: Facts, *, half: bool
) -> tuple[Json, dict[str, np.ndarray]]:
    """Model and facts as JSON, and all arrays by name; with `half`, parameters as float16.

    Raises ValueError for a model that is not made of parts of the library alone, for facts of a
    class of their own, and for numbers that halves cannot hold.
    """
    arrays: dict[str, np.ndarray] = {}
    described = description.describe(model, arrays)
    if not type(facts).__module__.startswith("amd_jax."):
        raise ValueError(
            f"An export holds no code; its facts are of a class of their own, "
            f"{type(facts).__name__}. Read the run itself with load_run."
        )
    weights = {f"{PARAMS}{key}": _kept(key, leaf, half) for key, leaf in manifest.leaves(params)}
    # np.ascontiguousarray would make a number () an array (1,).
    tensors = {k: np.asarray(v, order="C") for k, v in sorted({**arrays, **weights}.items())}
    return {"model": described, "facts": facts.to_json()}, tensors


def read(folder: str | Path) -> Exported:
    """What a folder holds; its parameters as float32. No code of it is executed.

    Sizes and shapes are compared with the model before numbers are read. Raises ValueError if it
    is no export, is damaged, or does not fit this version.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is warned of is refused
            return _read(folder)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{error.filename or folder} cannot be read: {reason}.") from error


def _read(folder: str | Path) -> Exported:
    files = run_files.at(folder)
    if not (files / CHECKSUMS).is_file():
        raise ValueError(
            f"{folder} holds no exported model: {CHECKSUMS} is missing. Make one of a run with "
            "--mode=export."
        )
    sums = run_files.read_json(files / CHECKSUMS, {WEIGHTS: str, CONFIG: str}, follow=True)
    with _opened(files / CONFIG, run_files.LIMIT) as file:
        _check_digest(files / CONFIG, file, sums[CONFIG])
        config = file.read()
    with _opened(files / WEIGHTS) as file:
        check = functools.partial(_check_digest, files / WEIGHTS, file, sums[WEIGHTS])
        try:
            return _composed(run_files.parsed(config.decode(), KINDS), file, check)
        except ChangedError:
            raise
        except Exception as error:  # parts that somebody has put together may raise anything
            if filesystem.size(file) <= OWN:  # more would take long
                check()
            raise ValueError(
                f"{folder} does not fit this version of amd_jax: {run_files.reason(error)}"
            ) from error


def _composed(config: Json, file: BinaryIO, check_digest: Callable[[], None]) -> Exported:
    """What a config and a file of weights hold, whose sizes and shapes are looked at first."""
    if not 1 <= config["format"] <= FORMAT:
        raise ValueError(
            f"it has the format {config['format']}; this one reads {FORMAT} and older."
        )
    description.check_size(config["model"])
    run, results = _about(config)
    stored = tensors.listed(file)
    own = _own(config["model"], stored)
    model = description.compose(
        config["model"], {name: tensors.read(file, tensor) for name, tensor in own.items()}
    )
    if not isinstance(model, Model):
        raise ValueError(f"it holds no model, but {type(model).__name__}.")
    facts = from_json(config["facts"])
    if unknown := [k for k in stored if k not in own and not k.startswith(PARAMS)]:
        raise ValueError(f"{unknown[0]:.80} belongs to no part of its model.")
    weights = {k.removeprefix(PARAMS): v for k, v in stored.items() if k not in own}
    template = shapes.template(model, facts, weights)
    check_digest()
    leaves = [
        jnp.asarray(tensors.read(file, weights[name]), leaf.dtype)
        for name, leaf in manifest.leaves(template)
    ]
    params = jax.tree.unflatten(jax.tree.structure(template), leaves)
    return Exported(model, params, facts, run, results)


def _about(config: Json) -> tuple[Json, list[Measurement]]:
    """What was trained and measured; ValueError for fields of other kinds."""
    run, results = tuples(config["run"]), config.get("results", [])
    if not (isinstance(run.get("config"), dict) and type(run.get("step")) is int):
        raise ValueError("its run must tell config and step.")
    for name, kind in RUN.items():
        if not field_types.fits(run.get(name), kind):
            raise ValueError(f"its run's {name} must be of the kind {kind}.")
    if not isinstance(results, list):
        raise ValueError("its results must be a list of figures.")
    return run, list(map(Measurement.from_json, results))


def _own(described: Json, stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """The arrays that a model is made of; ValueError if they are too large.

    They are read before the model can say what fits it, so they have a limit.
    """
    named = description.referred(described)
    own = {k: v for k, v in stored.items() if k in named and not k.startswith(PARAMS)}
    size = sum(tensor.end - tensor.begin for tensor in own.values())
    if size > OWN:
        raise ValueError(
            f"arrays that a model is made of take {OWN:,} bytes at most; these take {size:,}."
        )
    return own


def _kept(key: str, leaf: Array, half: bool) -> np.ndarray:
    """A parameter as it is kept; ValueError if halves cannot hold it."""
    array = np.asarray(leaf)
    if jnp.issubdtype(array.dtype, jnp.inexact) and not np.isfinite(array).all():
        raise ValueError(f"Exported numbers are finite; some of {key} are not. Export another.")
    if not half or array.dtype != np.float32:
        return array
    most = float(np.abs(array).max(initial=0.0))
    if not most < float(np.finfo(np.float16).max):
        raise ValueError(
            f"Halves hold numbers below 65504; {key} has {most:.3g}. Export without --half."
        )
    return array.astype(np.float16)


@contextlib.contextmanager
def _opened(path: run_files.AnyPath, limit: float = math.inf) -> Iterator[BinaryIO]:
    """A file of the export, to be read; ValueError if it is gone, or larger than what is free."""
    if not path.is_file():
        raise ValueError(f"{path} belongs to the export, but is gone. Export the run again.")
    with run_files.opened(path, follow=True) as file:
        size = filesystem.size(file)
        if size > limit:
            raise ValueError(f"{path} must have {limit:,} bytes at most; it has {size:,}.")
        memory.check(size, f"{path}", "Use a machine with more.")
        yield file


def _check_digest(path: run_files.AnyPath, file: BinaryIO, digest: str) -> None:
    """Raises ChangedError unless an open file has a checksum; it is then at its start."""
    if tensors.digest(file) != digest:
        raise ChangedError(f"{path} has changed since it was written. Get or export it again.")
    file.seek(0)
