"""Weights that come with the package, and those of any exported folder.

    model, params, facts = amd_jax.pretrained.load("wiki_text")
    sample = jax.jit(model.sample, static_argnums=2)
    print(facts.show(sample(params, jax.random.key(0), (4, 256))[0]))

Each is a folder here, whose README.md is its card: data and their licence, cost, bits on test
text, samples, limits.
"""

import difflib
import os
from pathlib import Path

from amd_jax.exports import export_folder
from amd_jax.exports.export_folder import Exported
from amd_jax.facts import Facts
from amd_jax.runs import run_files
from amd_jax.types import Model, Params

HERE = Path(__file__).parent


def names() -> tuple[str, ...]:
    """What the package brings."""
    return tuple(sorted(path.parent.name for path in HERE.glob(f"*/{export_folder.CONFIG}")))


def is_weights(name: str | Path) -> bool:
    """Whether this is one of `names()`, or a folder (or address) of exported weights."""
    return str(name) in names() or (run_files.at(name) / export_folder.CHECKSUMS).is_file()


def load(name: str | Path) -> tuple[Model, Params, Facts]:
    """A model, its parameters (float32), and what it knows of its data, as the alphabet.

    `name` is one of `names()`, or a folder that --mode=export has written, which may be an
    address (gs://bucket/export). No code of the folder is executed, and nothing is downloaded
    for a name. Raises ValueError for a name that is unknown, and for a folder that is damaged or
    does not fit.
    """
    return read(name)[:3]


def read(name: str | Path) -> Exported:
    """As `load`, with what was trained and measured."""
    known = names()
    if str(name) in known:
        return export_folder.read(HERE / name)
    if "/" in str(name) or os.path.isdir(str(name)):
        return export_folder.read(name)
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise ValueError(
        f"Weights are called {', '.join(known)}; got {str(name)!r}. {hint}A folder is given by "
        "its path, as runs/own_text/export."
    )
