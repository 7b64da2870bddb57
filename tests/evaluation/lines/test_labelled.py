"""Lines given their label have the conditional law of a model that reveals the label first."""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.evaluation.lines import labelled
from amd_jax.facts import LineFacts
from amd_jax.ops.lines import Lines
from tests import enumeration, zoo

FACTS = LineFacts.of("ab", (0.4, 0.6), labels=("no", "yes"))


@functools.cache
def masked():
    """A masked diffusion with a network that does not look at the time."""
    lines = Lines.of(FACTS)
    kernel = kernels.absorbing(schedules.linear, lines.num_classes)
    ways = (samplers.FirstHitting(),)
    model = models.Diffusion(kernel, zoo.Table(lines.num_classes + 1), 3, ways, lines)
    network = zoo.parameters(model, length=lines.length, scale=2.0)["network"]
    return model, {"network": {**network, "b": 0 * network["b"]}}


def guess(state):
    """p of every token of a row whose masks are 5."""
    model, params = masked()
    process = model.open(params)
    return np.exp(process.log_predict(jnp.array([state]), jnp.full(1, 0.5))[0])


def law_given(label):
    """{line: probability}: the length, the label, then the tokens in either order."""
    token, result = 3 + FACTS.labels.index(label), {}
    for (a,) in itertools.product(range(2)):
        result[a, 2] = 0.4 * guess((5, 5, 2))[0, token] * guess((token, 5, 2))[1, a]
    for a, b in itertools.product(range(2), repeat=2):
        left = guess((token, 5, 5))[1, a] * guess((token, a, 5))[2, b]
        right = guess((token, 5, 5))[2, b] * guess((token, 5, b))[1, a]
        result[a, b] = 0.6 * guess((5, 5, 5))[0, token] * (left + right) / 2
    total = sum(result.values())
    return {line: p / total for line, p in result.items()}


@pytest.mark.parametrize("label", FACTS.labels)
def test_draws_have_the_law_given_the_label(label):
    model, params = masked()
    x, law = labelled.draws(model, params, FACTS, label, 4000), law_given(label)
    assert {FACTS.label(row) for row in x} == {label}
    lines, p = list(law), np.array(list(law.values()))
    enumeration.assert_drawn_from(np.array([lines.index(tuple(row[1:])) for row in x.tolist()]), p)
    lengths = labelled.lengths(model, params, FACTS, label)
    np.testing.assert_allclose(lengths, [p[:2].sum(), p[2:].sum()], atol=1e-6)
    assert abs(lengths[0] - 0.4) > 0.02, "a law of lengths that the label does not change"


def test_what_has_no_such_law_is_refused():
    model, params = masked()
    with pytest.raises(ValueError, match="A label of lines is one of no, yes; got 'maybe'"):
        labelled.draws(model, params, FACTS, "maybe", 3)
    with pytest.raises(ValueError, match="have no labels. Train with a column of them"):
        labelled.draws(model, params, LineFacts.of("ab", (0.4, 0.6)), "yes", 3)
    network = networks.CausalTransformer(5, width=8, blocks=1, heads=1)
    other = models.Autoregressive(network, support=model.support)
    with pytest.raises(ValueError, match="and this model is an? Autoregressive. Train own_lines"):
        labelled.draws(other, params, FACTS, "yes", 3)
