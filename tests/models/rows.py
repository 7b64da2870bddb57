"""Models of supports, of columns, lines and maps, and their exact laws by enumeration."""

import functools
import itertools

import jax
import numpy as np

from amd_jax import models
from amd_jax.diffusion import kernels, schedules
from amd_jax.ops.maps import LabelledMaps
from tests import enumeration, zoo

SUPPORTS = zoo.COLUMNS | zoo.LINES | {"maps": LabelledMaps(2, 2, 2)}
K = 4  # classes of the columns of the zoo


def compiled(f, **static):
    return jax.jit(f, compiler_options=zoo.HASTE, **static)


def classes(name):
    return getattr(SUPPORTS[name], "num_classes", K)


def length(name):
    return getattr(SUPPORTS[name], "length", K - 1)


@functools.cache
def every(name):
    """Every row of tokens, possible or not."""
    return enumeration.sequences(classes(name), length(name))


@functools.cache
def possible(name):
    """Which of these are rows of the support."""
    if name == "maps":  # a label of 2 and 3 in front
        return ((every(name) >= 2) == [True, False, False]).all(axis=1)
    return (is_row if name in zoo.COLUMNS else is_line)(SUPPORTS[name], every(name))


def inside(name):
    """Which of these have tokens of their fields, lines or maps: noise gives no others."""
    if name not in zoo.COLUMNS:
        return possible(name)
    return (every(name) < np.array(zoo.COLUMNS[name].sizes)).all(axis=1)


def is_row(columns, x):
    """Which of x (N, L) are rows of a table: by their codes."""
    result = (x < np.array(columns.sizes)).all(axis=1)
    for fields in columns.of_columns():
        code = np.zeros(len(x), int)
        for i in fields:
            code = code * columns.sizes[i] + x[:, i]
        result &= code < columns.limits[fields[0]]
    return result


def is_line(lines, x):
    """Which of x are lines: a label, if there are any, then tokens, then padding alone."""
    labels = range(lines.num_tokens + 1, lines.num_classes)
    fronts = [(label,) for label in labels] or [()]
    longest = len(lines.lengths)
    bodies = [
        (*body, *[lines.num_tokens] * (longest - n))
        for n in range(1, longest + 1)
        for body in itertools.product(range(lines.num_tokens), repeat=n)
    ]
    all_lines = {front + body for front in fronts for body in bodies}
    return np.array([tuple(row) in all_lines for row in x.tolist()])


def sizes(lines, x):
    """The tokens of each line (N, L): (N,)."""
    return (x[:, lines.start :] != lines.padding).sum(axis=1)


def assert_possible(name, x):
    """Rows drawn are of the support, and the lengths of lines have their law."""
    assert possible(name)[enumeration.number(x, classes(name))].all()
    if name in zoo.LINES:
        lines = zoo.LINES[name]
        enumeration.assert_drawn_from(sizes(lines, x) - 1, np.array(lines.lengths))


def drawn(model, params, number=4000, **how):
    event = getattr(model.support, "length", K - 1)
    draw = functools.partial(model.sample, shape=(number, event), **how)
    return np.asarray(compiled(draw)(params, jax.random.key(7)))


@functools.cache
def masked(name):
    """A masked diffusion, of a network that does not look at the time."""
    kernel = kernels.absorbing(schedules.linear, classes(name))
    model = models.Diffusion(kernel, zoo.Table(classes(name) + 1), 3, support=SUPPORTS[name])
    network = zoo.parameters(model, length=length(name), scale=1.0)["network"]
    return model, {"network": {**network, "b": 0 * network["b"]}}


@functools.cache
def multinomial(name, denoiser="table", steps=3):
    """A diffusion whose noise takes no padding, and no tokens of other fields."""
    support = SUPPORTS[name]
    kernel = kernels.uniform_within(schedules.cosine, support.each(classes(name)))
    denoiser = zoo.DENOISERS[denoiser](classes(name))
    model = models.Diffusion(kernel, denoiser, steps, support=support)
    params = zoo.parameters(model, length=length(name))
    return model, jax.tree.map(lambda a: 0.4 * a, params)  # so that weights are light


@functools.cache
def autoregressive(name):
    model = models.Autoregressive(zoo.CausalTable(classes(name)), support=SUPPORTS[name])
    return model, zoo.parameters(model, length=length(name))


@functools.cache
def conditionals(name):
    """p of every token of every partly masked row: (state -> (L, K))."""
    model, params = masked(name)
    states = enumeration.sequences(classes(name) + 1, length(name))
    p = enumeration.guesses(model, params, states, 0.5)
    return {tuple(row): law for row, law in zip(states.tolist(), p, strict=True)}


@functools.cache
def in_order(name, order):
    """p(x) of every row: its length, if it is a line, and tokens by the chain rule in order."""
    lines, result = zoo.LINES.get(name), np.zeros(len(every(name)))
    for n in np.flatnonzero(possible(name)):
        row = every(name)[n]
        padding = row == lines.padding if lines else np.zeros(len(row), bool)
        state = np.where(padding, row, classes(name))
        result[n] = lines.lengths[sizes(lines, row[None])[0] - 1] if lines else 1
        for i in order:
            if not padding[i]:
                result[n] *= conditionals(name)[tuple(state)][i, row[i]]
                state[i] = row[i]
    return result


def in_every_order(name):
    return [in_order(name, order) for order in itertools.permutations(range(length(name)))]


@functools.cache
def in_any_order(name):
    """p(x) of every row, the mean over the orders: what is drawn one after the other."""
    return np.mean(in_every_order(name), axis=0)


def law(model, params, steps=None):
    """The law of what a walk of a number of steps draws, over all rows of states."""
    lines, prior = model.support, np.asarray(model.kernel.prior, np.float64)
    event = getattr(lines, "length", K - 1)
    each = np.broadcast_to(prior, (event, prior.shape[-1]))
    states = enumeration.sequences(prior.shape[-1], event)
    chances = each[np.arange(event), states]
    start = np.prod(chances, axis=1)
    if hasattr(lines, "lengths"):
        start = np.zeros(len(states))
        for n, share in enumerate(lines.lengths, start=1):
            noisy = np.arange(event) < lines.start + n
            start += share * np.prod(np.where(noisy, chances, states == lines.padding), axis=1)
    times = np.linspace(1, 0, (steps or model.steps) + 1)
    return enumeration.chain(model, params, start, times, event)
