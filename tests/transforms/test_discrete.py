"""What flows refuse, and discrete and integer ones on toys whose best value is known."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from amd_jax import models, networks, recipes
from amd_jax.data import toy
from amd_jax.ops import modular, rounding
from amd_jax.transforms import (
    coupling,
    discrete,
    elementwise,
    integer,
    laws,
    multiscale,
    recurrent,
)
from amd_jax.transforms.conditioner import Scaled
from amd_jax.transforms.repeated import Repeated
from tests import enumeration, zoo
from tests.variants import quick

RNG = jax.random.key(0)


@pytest.mark.few(2)
@pytest.mark.parametrize("k", [2, 3, 6, 9, 16])
@pytest.mark.slow
def test_affine_maps_are_permutations_with_their_inverse(k):
    """Every location and every unit of K, composite or not."""
    units = modular.units(k)
    locs, scales = (a.ravel() for a in np.meshgrid(np.arange(k), units, indexing="ij"))
    one_hots = np.eye(k)[locs], np.equal.outer(scales, units)
    theta = jnp.asarray(np.concatenate(one_hots, axis=1, dtype="f"))[:, None]  # (N, 1, P)
    x, bijection = jnp.tile(jnp.eye(k), (len(theta), 1, 1)), modular.Affine(k, units)
    z = bijection.forward(x, theta)
    wanted = (locs[:, None] + scales[:, None] * np.arange(k)) % k
    np.testing.assert_array_equal(z.argmax(axis=-1), wanted)
    np.testing.assert_array_equal(bijection.inverse(z, theta), x)


BASE = laws.Fixed(laws.NORMAL)
HALVES = multiscale.FactorOutGiven(laws.Conditional(laws.NORMAL, zoo.Context(2)))
ONE_PLACE = discrete.Coupling(zoo.Context(3), modular.Affine(3))
NONE_MOVE = coupling.Coupling(zoo.Context(1), rounding.Shift(), moving=0)
REFUSED = [  # what is done, what is said
    (lambda: modular.Affine(27, (1, 3)), "K=27, else x -> 3 x has no inverse; got 3"),
    (lambda: modular.Affine(6, (0,)), "K=6, else x -> 0 x has no inverse; got 0"),
    (lambda: modular.Affine(5, (6,)), r"in \[1, 5\).*got 6"),
    (lambda: modular.Affine(5, temperature=0.0), "temperature above 0; got 0.0"),
    (lambda: rounding.soft(jnp.zeros(1), 0.0), "temperature above 0; got 0.0"),
    (lambda: laws.Mixture(laws.NORMAL, 0), "1 component or more; got 0"),
    (lambda: integer.idf(1, 0, 1, zoo.Context, 1.0, 1.0), "1 level or more; got levels=0"),
    (lambda: ONE_PLACE.init(RNG, jnp.zeros((4, 1, 3))), "2 places or more"),
    (lambda: NONE_MOVE.init(RNG, jnp.zeros((2, 4))), "1 to 3 may move; got moving=0"),
    (lambda: HALVES.init(RNG, jnp.zeros((2, 4, 3))), "even number; got 3"),
    (lambda: multiscale.FactorOut(BASE).init(RNG, jnp.zeros((2, 4, 3))), "even number; got 3"),
    (lambda: multiscale.glow(3, 0, 1, None, None, BASE), "1 level or more; got levels=0"),
    (lambda: Repeated(elementwise.ActNorm(), 0), "once or more; got times=0"),
    (lambda: recurrent.Recurrent(None, 2, (), "noise"), "reads data or latents; got 'noise'"),
    (lambda: recipes.latent_flow("iaf_af", 3, 4, {}), "one of af_af, af_scf, iaf_scf; got 'iaf_"),
]


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(("do", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(do, message):
    with pytest.raises(ValueError, match=message):
        do()


@pytest.mark.parametrize("shape", [(5,), (2, 3)])
@pytest.mark.slow
def test_inverses_settle(shape):
    """One place after the other, so that they are the only ones there are."""
    bijection = modular.Affine(4, (1, 3))
    network = networks.MADE(bijection.num_parameters, hidden=(16,))
    layer = discrete.Autoregressive(network, bijection)
    z = jax.nn.one_hot(jax.random.randint(RNG, (6, *shape), 0, 4), 4)
    params = zoo.drawn(layer, z, scale=2.0)
    x = jax.jit(layer.inverse)(params, RNG, z)
    np.testing.assert_array_equal(jax.jit(layer.forward)(params, RNG, x)[0], z)
    assert (x != z).any()


class Onward(nn.Module):
    """Location 1 wherever it is asked, plus the class of each place that it sees."""

    @nn.compact
    def __call__(self, x, *, train=False):
        classes = (x * jnp.arange(x.shape[-1])).reshape(len(x), -1).sum(axis=-1)
        loc = (1 + classes.astype(int)) % x.shape[-1]
        return jnp.broadcast_to(
            8.0 * jax.nn.one_hot(loc, x.shape[-1]).reshape(-1, *(1,) * (x.ndim - 2), x.shape[-1]),
            x.shape,
        )


@pytest.mark.few(2)
@pytest.mark.parametrize(("phase", "shape"), [(0, (4,)), (1, (4,)), (1, (2, 3))])
def test_every_other_place_of_a_coupling_moves_by_those_between(phase, shape):
    """Of all sequences of two classes: by how far, and that it is a bijection."""
    every = enumeration.sequences(2, int(np.prod(shape)))
    layer = discrete.Coupling(Onward(), modular.Affine(2), phase)

    @jax.jit
    def there_and_back(x):
        z, nats = layer.forward({}, RNG, x)
        return z, nats, layer.inverse({}, RNG, z)

    x = np.eye(2, dtype=np.float32)[every].reshape(-1, *shape, 2)
    z, nats, back = there_and_back(x)
    passes = ((np.indices(shape).sum(axis=0) + phase) % 2 == 0).ravel()
    by = 1 + every[:, passes].sum(axis=1, keepdims=True)
    moved = np.asarray(z.argmax(axis=-1)).reshape(every.shape)
    np.testing.assert_array_equal(moved, np.where(passes, every, (every + by) % 2))
    np.testing.assert_array_equal(nats, 0)
    np.testing.assert_array_equal(back, x)


def test_settling_takes_as_many_rounds_as_there_are_places():
    """Each place one more than that before it: a round makes one place right."""

    def step(x):
        before = jnp.pad(x.argmax(axis=-1), ((0, 0), (1, 0)))[:, :-1]
        return jax.nn.one_hot(before + 1, 7)

    result = discrete.settled(step, jax.nn.one_hot(jnp.zeros((2, 6), int), 7))
    np.testing.assert_array_equal(result.argmax(axis=-1), [[1, 2, 3, 4, 5, 6]] * 2)


def located(num_classes, network):
    """One autoregressive layer that moves by locations, on an independent base."""
    layer = discrete.Autoregressive(network, modular.Affine(num_classes))
    return models.Flow((discrete.OneHot(num_classes), layer), discrete.Product())


class Wave(nn.Module):
    """A network of one number."""

    @nn.compact
    def __call__(self, x, *, train=False):
        h = nn.gelu(nn.Dense(128)(x))
        return nn.Dense(1)(nn.gelu(nn.Dense(128)(h)))


def undone(num_classes):
    """One rounded coupling of pairs of integers."""
    pairs = (integer.Levels(num_classes), elementwise.Merge(()), elementwise.Squeeze(2))
    layer = coupling.Coupling(Scaled(Wave(), 8.0), rounding.Shift(8.0))
    return models.Flow((*pairs, layer), laws.Learned(laws.DiscretizedLogistic(unit=3.0)))


TABLE = networks.MADE(2, hidden=(), out_bias=False, spread=1.0)  # logits that differ by about 1
WIDE = networks.MADE(3, hidden=(128,), out_bias=False)
ALONE = models.Flow((discrete.OneHot(2),), discrete.Product())
TOYS = {  # data, flow of their classes, steps, rate and batch of its training, nats, how near
    "xor": (toy.xor, lambda k: located(k, TABLE), 300, 0.1, None, 0.9359, 0.002),
    "xor alone": (toy.xor, lambda k: ALONE, 300, 0.1, None, 1.2519, 0.002),
    "potts": (  # such a layer is at best at 8.2928, the entropy is 7.8909
        *(toy.potts, lambda k: located(k, WIDE)),
        *(500, optax.cosine_decay_schedule(0.01, 500), 1024, 8.3, 0.01),
    ),
    "waves": (  # the entropy; 6.4682 if independent
        *(toy.waves, undone),
        *(4000, optax.cosine_decay_schedule(0.01, 4000), None, 5.4008, 0.01),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", quick(TOYS, "xor", "xor alone", "potts"))
def test_a_toy_is_learned_as_well_as_such_a_flow_can(name):
    make, flow, steps, rate, batch, nats, near = TOYS[name]
    data = make()
    model = flow(data.facts.num_classes)
    x = enumeration.sequences(data.facts.num_classes, data.facts.event_shape[0])
    p = np.exp(data.log_prob(x))
    x, p = (jnp.asarray(a[p > 1e-7]) for a in (x, p / p[p > 1e-7].sum()))
    optimizer = optax.adam(rate)

    def loss(params, x, p):
        return -(p * model.elbo(params, RNG, x)).sum()

    def step(i, carry):
        params, state = carry
        rows = x, p
        if batch:
            rng = jax.random.fold_in(jax.random.key(1), i)
            rows = x[jax.random.choice(rng, len(x), (batch,), p=p)], 1 / batch
        updates, state = optimizer.update(jax.grad(loss)(params, *rows), state)
        return optax.apply_updates(params, updates), state

    @jax.jit
    def train(rng):
        params = model.init(rng, x[:8])
        return loss(jax.lax.fori_loop(0, steps, step, (params, optimizer.init(params)))[0], x, p)

    np.testing.assert_allclose(train(RNG), nats, atol=near)
