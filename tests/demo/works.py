"""Tiny models for the demo, untrained: texts and maps by diffusion, pairs by a flow."""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from amd_jax import models, networks, options
from amd_jax.demo.session import Work
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.facts import LineFacts, MapFacts, PlaneFacts, TextFacts
from amd_jax.ops import categorical
from amd_jax.ops.columns import Columns
from amd_jax.ops.lines import Lines
from tests import zoo
from tests.pages.written import TABLE

PRINTABLE = "".join(map(chr, range(32, 127)))
TEXT = TextFacts(27, (16,), "letters", alphabet=" abcdefghijklmnopqrstuvwxyz")
MAPS = MapFacts(
    3, (4, 6), "land", palette=((0, 0, 0), (200, 30, 30), (0, 158, 115)), names=("sea", "a", "b")
)
POINTS = PlaneFacts(3, (2,), "points")
LINES = LineFacts.of("CNO", (0.2,) * 5, ("no", "yes"), name="molecules")


class Near(nn.Module):
    """A denoiser that sees the neighbours, of tokens in a line or in a plane."""

    num_states: int

    @nn.compact
    def __call__(self, x_t, t, *, train=False):
        seen = categorical.one_hot(x_t, self.num_states)
        return nn.Conv(self.num_states, (3,) * (x_t.ndim - 1))(seen)


@dataclasses.dataclass(frozen=True)
class Odd(samplers.Ancestral):
    """A sampler with a number of each kind.

    And a second paragraph.
    """

    warmth: float = options.number(1.5, "a real number", least=0)
    greedy: bool = options.number(False, "yes or no")
    tune: str = options.number("low", "a word")
    name = "odd_one"


def diffusion(facts, steps=4, more=(), kernel=None, scale=3.0):
    """A larger scale is a stronger opinion."""
    kernel = kernel or kernels.uniform(schedules.cosine, facts.num_classes)
    every = (samplers.Ancestral(), *more)
    model = models.Diffusion(kernel, Near(len(kernel.prior)), steps, every)
    row = jnp.zeros((1, *facts.event_shape), jnp.int32)
    params = zoo.drawn(model, row, scale=scale)
    return Work(f"{facts.name}_tiny", model, params, facts)


def text(**others):
    return diffusion(TEXT, **others)


def maps(**others):
    return diffusion(MAPS, **others)


def masked(facts=TEXT):
    """With masks: gaps of texts and holes of maps are filled, and nothing is corrected."""
    kernel = kernels.absorbing(schedules.linear, facts.num_classes)
    return diffusion(facts, kernel=kernel, scale=0.5)  # of weak opinions: fillings differ


def lines(masks):
    """Lines with labels: with masks gaps are filled, with other noise errors are corrected."""
    support = Lines.of(LINES)
    noise = kernels.uniform_within(schedules.cosine, support.each(LINES.num_classes))
    kernel = kernels.absorbing(schedules.linear, LINES.num_classes) if masks else noise
    every = (samplers.Ancestral(),)
    model = models.Diffusion(kernel, Near(kernel.prior.shape[-1]), 4, every, support)
    params = zoo.drawn(model, jnp.asarray(LINES.row("CNO", "yes"))[None])
    return Work("molecules_tiny", model, params, LINES)


def table():
    """Rows of a table with masks, and a network that has learnt nothing."""
    columns = Columns(TABLE.sizes, TABLE.owners, TABLE.limits)
    kernel = kernels.absorbing(schedules.linear, TABLE.num_classes)
    net = networks.TableNet(TABLE.num_classes + 1, TABLE.sizes, width=8, blocks=1, embedding=4)
    model = models.Diffusion(kernel, net, None, (samplers.FirstHitting(),), columns)
    params = zoo.drawn(model, jnp.zeros((1, 5), jnp.int32))
    return Work("people", model, params, TABLE)


def flow(facts=zoo.Pairs.facts):
    model = zoo.flow("binary", 2, 3)
    params = zoo.drawn(model, jnp.zeros((1, zoo.LENGTH), jnp.int32))
    return Work("pairs", model, params, facts)


def points():
    return flow(POINTS)


def shown(pieces):
    """The text of an edited answer, and of what stood there before."""
    return ["".join(np.array(pieces, dtype=object)[:, i]) for i in (0, 2)]
