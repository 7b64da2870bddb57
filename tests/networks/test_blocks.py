import jax
import numpy as np
import pytest

from amd_jax.networks.blocks import Block
from tests.variants import quick

TEXT, MAP = (2, 6, 8), (2, 4, 4, 8)
CASES = {  # shape of what goes in, the block's numbers
    "text": (TEXT, dict(offsets=((0,), (1,)))),
    "attention": (TEXT, dict(offsets=((0,),), heads=2)),
    "map": (MAP, dict(offsets=((0, 0), (0, 1), (1, 0)))),
}


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", quick(CASES, "attention"))
def test_a_block_starts_as_the_identity_and_is_one_no_more_once_its_way_back_opens(name):
    shape, numbers = CASES[name]
    block = Block(**numbers)
    h = jax.random.normal(jax.random.key(0), shape)
    time = jax.random.normal(jax.random.key(1), (len(h), 4))
    keys = {"params": jax.random.key(2), "dropout": jax.random.key(3)}
    params, apply = jax.jit(block.init)(keys, h, time), jax.jit(block.apply)
    np.testing.assert_array_equal(apply(params, h, time), h)
    opened = jax.tree.map(lambda a: a + 0.1, params)
    assert abs(apply(opened, h, time) - h).min(axis=-1).max() > 0.01


def test_a_block_can_learn_from_its_start():
    """Its way back is zero, but not shut: the gradient of that is not zero."""
    block, rng = Block(), np.random.default_rng(0)
    h, time = (rng.normal(size=shape).astype("f") for shape in (TEXT, (TEXT[0], 4)))
    keys = {"params": jax.random.key(2), "dropout": jax.random.key(3)}
    params = jax.jit(block.init)(keys, h, time)
    slope = jax.jit(jax.grad(lambda p: (block.apply(p, h, time) ** 2).sum()))(params)["params"]
    assert np.abs(slope["back"]["kernel"]).max() > 0.1
