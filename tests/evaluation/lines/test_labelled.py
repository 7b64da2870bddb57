"""Lines given their label have the conditional law of a model that reveals the label first."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates, guided_laws
from amd_jax.evaluation.lines import labelled
from amd_jax.facts import LineFacts
from amd_jax.ops.lines import Lines
from tests import enumeration, zoo
from tests.variants import quick


class Exact(models.Diffusion):
    """The masked diffusion of a perfect network for lines of a known law."""

    def open(self, params, *, train=False):
        return certificates.exact(self.kernel, DATA, self.support)


def lines_of_a_law():
    """A law of labels and lines of two characters and 1 to 3 tokens: 5 classes at 4 places."""
    places = [
        (label, *line, *(2,) * (3 - n))
        for label in (3, 4)
        for n in (1, 2, 3)
        for line in itertools.product(range(2), repeat=n)
    ]
    result = np.zeros((5,) * 4)
    result[tuple(np.transpose(places))] = np.random.default_rng(4).dirichlet(np.full(28, 2.0))
    return result


DATA, B = lines_of_a_law(), slice(2)  # both characters
LENGTHS = tuple(float(DATA[:, :2, i, j].sum()) for i, j in ((2, 2), (B, 2), (B, B)))
OF_DATA = LineFacts.of("ab", LENGTHS, labels=("no", "yes"))
YES = (4, -1, -1, -1)


@functools.cache
def perfect():
    """A model that knows the law, and no parameters."""
    kernel = kernels.absorbing(schedules.linear, 5)
    ways = (samplers.FirstHitting(),)
    return Exact(kernel, zoo.Table(6), None, ways, Lines.of(OF_DATA)), {}


def of_lengths(law):
    """The law of 1, 2 and 3 tokens in a law of lines."""
    law = law / law.sum()
    one, two = law[..., 2, 2].sum(), law[..., :2, 2].sum()
    return np.array([one, two, 1 - one - two])


def assert_near(x, law):
    enumeration.assert_drawn_from(enumeration.number(np.asarray(x), 5), law.ravel())


@pytest.mark.few(1)
@pytest.mark.parametrize("label", OF_DATA.labels)
def test_draws_have_the_law_given_the_label(label):
    given = np.zeros_like(DATA)
    given[OF_DATA.label_token(label)] = DATA[OF_DATA.label_token(label)]
    assert_near(labelled.draws(*perfect(), OF_DATA, label, 3000), given)
    lengths = labelled.lengths(*perfect(), OF_DATA, label)
    np.testing.assert_allclose(lengths, of_lengths(given), rtol=1e-4)
    assert certificates.distance(lengths, np.array(LENGTHS)) > 0.02, "the label changes none"


@pytest.mark.parametrize("guidance", quick([0.0, 1.0, 4.0], 4.0))
def test_lengths_are_those_of_the_guided_law_but_for_the_weights(guidance):
    """One length for all particles of a line would leave them at that."""
    yes = of_lengths(DATA[4]) * DATA[4].sum() / LENGTHS
    law = labelled.lengths(*perfect(), OF_DATA, "yes", guidance)
    expected = np.array(LENGTHS) * yes**guidance
    np.testing.assert_allclose(law, expected / expected.sum(), rtol=1e-4)
    pi, _ = guided_laws.target(samplers.Guided(guidance), DATA, YES)
    differs = certificates.distance(of_lengths(pi), law)
    assert differs > 0.05 if guidance > 1 else differs < 1e-5


def drawn(number, sampler, seed=0):
    return labelled.guided(*perfect(), OF_DATA, "yes", number, sampler, seed)


@pytest.mark.parametrize("guidance", quick([1.0, 0.0], 1.0))
def test_one_is_the_law_given_the_label_and_zero_ignores_it(guidance):
    result = drawn(2000, samplers.Guided(guidance, 4))
    law = np.zeros_like(DATA)
    law[4] = DATA[4] if guidance else DATA.sum(axis=0)
    assert_near(result.rows, law / law.sum())
    assert result.effective == pytest.approx(4)
    assert result.off < 1e-4


def runs_of_a(rows):
    """Nats for each "a", and for lines of three tokens."""
    return 0.8 * (rows == 0).sum(axis=1) - 1.5 * (rows[:, 3] != 2)


def of_text(rows):
    """The same of the lines as text: any function, called from the device."""
    nats = lambda line: 0.8 * line.count("a") - 1.5 * (len(line) > 2)  # noqa: E731
    return jax.pure_callback(
        lambda rows: np.float32([nats(line) for line in OF_DATA.lines(np.asarray(rows))]),
        jax.ShapeDtypeStruct(rows.shape[:1], jnp.float32),
        rows,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("guidance", "reward"), [(4.0, None), (2.0, runs_of_a), (2.0, of_text)])
def test_guided_lines_have_the_guided_law_tilted_by_a_reward(guidance, reward):
    sampler = samplers.Guided(guidance, 32, reward)
    law, _ = guided_laws.target(samplers.Guided(guidance, 32, reward and runs_of_a), DATA, YES)
    other, _ = guided_laws.target(samplers.Guided(guidance if reward else 1.0), DATA, YES)
    assert certificates.distance(law, other) > (0.2 if reward else 0.1), "nothing is told apart"
    result = drawn(1000, sampler)
    assert_near(result.rows, law)
    if not reward:
        assert 8 < result.effective < 32
        assert 0 < result.off < 0.2
        np.testing.assert_array_equal(*(drawn(20, sampler).rows for _ in range(2)))


@pytest.mark.slow
def test_a_reward_tilts_lines_of_any_label_and_length():
    model, params = perfect()
    sampler = samplers.Guided(particles=32, reward=runs_of_a)
    draw = jax.jit(lambda rng: model.sample(params, rng, (1000, 4), sampler=sampler))
    tilted, _ = guided_laws.target(sampler, DATA, (-1,) * 4)
    assert abs(of_lengths(tilted) - LENGTHS).max() > 0.1, "lengths are to change, too"
    assert_near(draw(jax.random.key(1)), tilted)


@pytest.mark.parametrize(
    ("reward", "says"),
    [
        pytest.param(
            *(lambda rows: jnp.where(rows[:, 3] == 2, jnp.nan, 0.0), "NaN or inf among its 4 p"),
            marks=pytest.mark.slow,
        ),
        (lambda rows: np.asarray(rows).sum(axis=1), "a function in JAX.* jax.pure_callback"),
        (lambda rows: jnp.zeros(len(rows)) if rows[0, 0] else 1, "a function in JAX"),
    ],
)
def test_what_is_no_reward_of_lines(reward, says):
    with pytest.raises(ValueError, match=says) as error:
        drawn(4, samplers.Guided(2.0, 4, reward))
    assert "\n" not in str(error.value)


def test_what_has_no_such_law_is_refused():
    (model, params), unlabelled = perfect(), LineFacts.of("ab", LENGTHS)
    uniform = kernels.uniform_within(schedules.cosine, model.support.each(5))
    diffusion = models.Diffusion(uniform, zoo.Table(5), 3, support=model.support)
    network = networks.CausalTransformer(5, width=8, blocks=1, heads=1)
    causal = models.Autoregressive(network, support=model.support)
    guided = functools.partial(labelled.guided, sampler=samplers.Guided(2.0))
    for asked, facts, label, says in (
        (model, OF_DATA, "maybe", "A label of lines is one of no, yes; got 'maybe'"),
        (model, unlabelled, "yes", "no labels. Train with some"),
        (diffusion, OF_DATA, "yes", "this is a diffusion without masks"),
        (causal, OF_DATA, "yes", "an autoregressive model without masks. Train own_li"),
    ):
        for draw in (labelled.draws, guided):
            with pytest.raises(ValueError, match=says):
                draw(asked, params, facts, label, 3)


@pytest.mark.parametrize("guidance", quick([2.0, 4.0], slow=[4.0]))
def test_the_error_of_guided_lines_falls_as_one_over_the_number_of_particles(guidance):
    """Over lines of all lengths, with a perfect network."""
    counts, runs = np.array([8, 64, 512]), (8000, 2000, 500)
    distance, error = np.transpose(
        [
            by_weight(samplers.Guided(guidance, particles=count), number)
            for count, number in zip(counts, runs, strict=True)
        ]
    )
    assert (error < 0.3 * distance).all(), "too loose to mean anything"
    np.testing.assert_allclose(counts * distance, 64 * distance[1], rtol=0.35)
    assert distance[2] < 0.001


def by_weight(sampler, runs):
    """How far the law of one of N particles is from its target, in total variation; its error."""
    model, params = perfect()
    process = model.open(params)
    law = labelled.lengths(model, params, OF_DATA, "yes", sampler.guidance)
    draw = jax.jit(lambda rng, law: labelled.weighted(process, sampler, rng, law, 4, runs))
    result = draw(jax.random.key(0), jnp.asarray(law, jnp.float32))
    pi, _ = guided_laws.target(sampler, DATA, YES)
    free, yes = DATA.sum(axis=0), of_lengths(DATA[4]) * DATA[4].sum() / LENGTHS
    ratio = np.divide(DATA[4], free, out=np.zeros(free.shape), where=free > 0)
    z = (free * ratio**sampler.guidance).sum() / (LENGTHS * yes**sampler.guidance).sum()
    law, error = guided_laws.estimate(result, pi, z)
    return certificates.distance(law, pi), error.sum() / 2
