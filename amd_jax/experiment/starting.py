"""What a run starts from: parameters of another run or of weights, as far as they fit."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Integer

from amd_jax.diffusion import kernels
from amd_jax.facts import Facts
from amd_jax.host.log import logger
from amd_jax.host.printable import cut
from amd_jax.learning.distillation import Distillation
from amd_jax.learning.loop import Parts
from amd_jax.models import Flow
from amd_jax.runs import run_folder
from amd_jax.types import Array, Model, Params

if TYPE_CHECKING:
    from amd_jax.experiment.experiment import Run

Shapes = dict[str, tuple[int, ...]]
Places = Integer[np.ndarray, "_"]
ROWS = 8  # that parameters are initialised with, at most


class Start(NamedTuple):
    """Parameters, and what they are of."""

    name: str  # for messages
    params: Params
    facts: Facts
    model: Model


def fresh(run: "Run", model: Model | None = None) -> Params:
    """Shapes of fresh parameters of its model, or another; ValueError for data that do not fit."""
    rows = min(run.config.batch_size, ROWS)
    x = jax.ShapeDtypeStruct((rows, *run.facts.event_shape), np.int32)
    return jax.eval_shape((model or run.model).init, jax.random.key(0), x)


def begun(start: Start | None, run: "Run", workdir: Path) -> tuple[Params | None, Parts]:
    """The parameters to start from, if there are some, and the parts of the run.

    They teach a run whose objective is a `Distillation`; one that goes on has its teacher in its
    checkpoints. Raises ValueError for what does not fit, and for a student without a teacher.
    """
    fresh(run)  # of data that do not fit it says so
    objective = run.parts.objective
    if not isinstance(objective, Distillation):
        return None if start is None else fitted(start, run), run.parts
    params = None
    if start is not None:
        objective.check_teacher(start.model, start.name)
        params = teacher = fitted(start, run)
    elif run_folder.has_checkpoint(workdir):
        teacher = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), fresh(run))  # read over
    else:
        raise ValueError(
            "A student starts from its teacher. Give --init_from=RUN, or the name of weights."
        )
    return params, run.parts._replace(objective=dataclasses.replace(objective, teacher=teacher))


def fitted(start: Start, run: "Run") -> Params:
    """The parameters to start a run from.

    If the alphabets differ, what belongs to a character, a token or a label that both have is
    carried over by its name; what belongs to others is fresh, and the log says which. Of masks
    with more symbols than there are, further ones begin as the last of them.

    Raises:
        ValueError: for another kind of data, for another model, and for other classes that have
            no names.
    """
    named = start.facts.class_names and run.facts.class_names
    for name in ("kind",) if named else ("kind", "num_classes", "class_names"):
        theirs, mine = (getattr(facts, name) for facts in (start.facts, run.facts))
        if theirs != mine:
            raise ValueError(
                f"A run starts from one on the same tokens; {name} is {theirs!r:.60} in "
                f"{start.name}, and {mine!r:.60} here."
            )
    symbols = _symbols(run.model) - _symbols(start.model)
    if start.facts.class_names == run.facts.class_names and not symbols:
        _check(start, _shapes(fresh(run)))
        return start.params
    return _carried(start, run, symbols)


def _symbols(model: Model) -> int:
    """How many states a mask of the model may be, where it has masks."""
    kernel = getattr(model, "kernel", None)
    return kernel.symbols if isinstance(kernel, kernels.RandomMasks) else 1


def _carried(start: Start, run: "Run", symbols: int) -> Params:
    """The parameters for other classes, matched by their names, and for so many more masks."""
    if isinstance(run.model, Flow):
        raise ValueError(
            "A flow writes classes as codes, which other alphabets have other ones of; that of "
            f"{start.name} is not the alphabet here. Use a diffusion, or the same alphabet."
        )
    names = [facts.class_names or range(facts.num_classes) for facts in (start.facts, run.facts)]
    places = {name: k for k, name in enumerate(names[0])}
    source = np.array([places.get(name, -1) for name in names[1]])
    here, grown = _shapes(fresh(run)), _shapes(fresh(run, _with_another_class(run)))
    copies = {name: np.subtract(grown[name], here[name]) for name in here}  # of classes, by axis
    further = len(source) - len(places) + symbols
    _check(start, {name: tuple(here[name] - further * copies[name]) for name in here})

    def carry(path: tuple, mine: Array, theirs: Array) -> Array:
        sizes = zip(
            mine.shape, theirs.shape, copies[jax.tree_util.keystr(path)].tolist(), strict=True
        )
        pairs = [_axis(*size, source, len(places)) for size in sizes]
        to, since = (np.ix_(*(pair[side] for pair in pairs)) for side in (0, 1))
        return mine.at[to].set(theirs[since])

    x = run.data.batch(run.config.seed, 0, min(run.config.batch_size, ROWS))
    begun = jax.jit(run.model.init)(jax.random.key(run.config.seed), jnp.asarray(x, jnp.int32))
    new = [name for name, k in zip(names[1], source, strict=True) if k < 0]
    logger.warning(
        f"starts from {start.name}, which knows {len(source) - len(new)} of {len(source)} classes"
        + (f"; new are {cut(repr(new)[1:-1], 80)}" if new else "")
    )
    return jax.tree_util.tree_map_with_path(carry, begun, start.params)


def _axis(
    size: int, size_there: int, copies: int, source: Places, classes_there: int
) -> tuple[Places, Places]:
    """Where to write along an axis, and where what is written stands in the other parameter.

    An axis that grows with the classes is `copies` blocks, one after the other: of the classes,
    whose places there are `source`, or -1, and of further states, as masks, of which there may be
    fewer there: the last of them stands for the others.
    """
    if not copies:
        return np.arange(size), np.arange(size)
    block, block_there = size // copies, size_there // copies
    states = classes_there + np.arange(max(0, block - len(source)))
    states = np.minimum(states, block_there - 1)
    rows = np.append(source, states)[:block]
    known = np.flatnonzero((rows >= 0) & (rows < block_there))
    blocks = np.arange(copies)[:, None]
    return (blocks * block + known).ravel(), (blocks * block_there + rows[known]).ravel()


def _with_another_class(run: "Run") -> Model:
    """The model of a run whose data had one more class: parameters of classes are larger in it."""
    return run.experiment.compose(run.config, run.facts.with_another_class()).model


def _check(start: Start, expected: Shapes) -> None:
    """Raises ValueError unless parameters have the shapes that are expected."""
    shapes = _shapes(start.params), expected
    if shapes[0] != shapes[1]:
        name = sorted(dict(shapes[0].items() ^ shapes[1].items()))[0]
        theirs, mine = (result.get(name, "missing") for result in shapes)
        raise ValueError(
            f"A run starts from one of the same model; {name} is {theirs} in {start.name}, and "
            f"{mine} here. Use the same numbers of the network."
        )


def _shapes(tree: Params) -> Shapes:
    """The shape of each parameter, by its path."""
    leaves = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(path): tuple(leaf.shape) for path, leaf in leaves}
