"""Operations of programs whose products are counted by hand."""

import jax
import jax.numpy as jnp
import optax
import pytest

from amd_jax.devices import parallel, program_cost
from amd_jax.devices.shards import Shards
from amd_jax.learning import training_step
from tests.devices.test_shards import composed

X = jnp.ones((4, 4))
PRODUCT = 2 * 4**3


def counted(f, *arguments):
    return program_cost.flops(jax.make_jaxpr(f)(*arguments))


def looped(x):
    return jax.lax.scan(lambda carry, _: (carry @ x, None), x, None, length=10)[0]


def convolved(x):
    kernel = jnp.ones((3, 3, 2, 9))  # of three groups
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, (2, 2), "SAME", dimension_numbers=layout, feature_group_count=3
    )


@pytest.mark.parametrize(
    ("f", "products"),
    [
        (lambda x: x @ x + x, 1),
        (jax.jit(lambda x: jnp.sin(x @ x) @ x), 2),
        (looped, 10),
        (lambda x: jax.lax.fori_loop(0, x[0, 0].astype(int), lambda i, y: y @ x, x), 1),
        (lambda x: jax.lax.cond(x[0, 0] > 0, looped, lambda x: x @ x, x), 10),
        (jax.vmap(lambda row: row @ X), 1),
        (jax.grad(lambda x: jnp.sum(jnp.sin(x @ x))), 3),
        (jax.grad(jax.checkpoint(lambda x: jnp.sum(jnp.sin(x @ x)))), 4),
        (jax.grad(lambda x: jnp.sum(jnp.sin(looped(x)))), 30),  # forwards, and twice back
    ],
)
def test_products_of_matrices(f, products):
    assert counted(f, X) == products * PRODUCT


@pytest.mark.parametrize(
    ("f", "size"),
    [
        (lambda x: x @ x, 64),
        (lambda x: (x[:, :, None] * x).sum(), 4 * 64),
        (jax.jit(lambda x: (x[:, :, None] * x).sum()), 4 * 64),
        (lambda x: jax.lax.map(lambda row: (row[:, None, None] * x).sum(), x), 4 * 64),
        (lambda x: jnp.zeros(()), 64),
        (lambda x: jnp.broadcast_to(x, (10**12, 10**12, 4, 4)).sum(), 64 * 10**24),
    ],
)
def test_the_largest_array(f, size):
    assert program_cost.largest(jax.make_jaxpr(f)(X)) == size


def test_products_of_a_convolution():
    got = counted(convolved, jax.ShapeDtypeStruct((5, 8, 8, 6), jnp.float32))
    assert got == 2 * (5 * 4 * 4 * 9) * (3 * 3 * 2)


@pytest.mark.parametrize("axes", [(0, None), (None, 0)])
def test_every_device_counts(axes):
    over = parallel.over_devices(lambda x, y: x @ y, in_axes=axes)
    whole = [X if axis is None else jnp.stack([X, X]) for axis in axes]
    assert counted(over, *whole) == 2 * PRODUCT


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("devices", "accumulate"), [(parallel.Copies(), 1), (parallel.Copies(), 2), (Shards(2), 1)]
)
def test_the_products_of_a_training_step_are_those_of_its_rows(devices, accumulate):
    """Whichever device takes them, and in however many parts."""
    run, optimizer = composed(), optax.adam(1e-3)
    objective = run.parts.objective
    x, rng = jax.ShapeDtypeStruct((8, 32), jnp.int32), jax.eval_shape(lambda: jax.random.key(0))

    def init(rng, x):
        return training_step.init_state(objective, optimizer, run.model.init(rng, x))

    def loss(params, rng, x):
        return objective.loss(params, state.memory, rng, x)[0].sum()

    state = jax.eval_shape(init, rng, x)
    want = counted(jax.value_and_grad(loss), state.params, rng, x)
    step = training_step.make_train_step(objective, optimizer, 0.5, accumulate, devices=devices)
    if isinstance(devices, parallel.Copies):
        state = jax.tree.map(lambda a: jax.ShapeDtypeStruct((2, *a.shape), a.dtype), state)
    rows = jax.ShapeDtypeStruct((2, 4, 32), jnp.int32)
    assert program_cost.flops(devices.traced(step, state, rng, rows)) == pytest.approx(
        want, rel=0.01
    )
