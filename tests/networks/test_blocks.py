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


@pytest.mark.parametrize("name", quick(CASES, "text", slow=("attention",)))
def test_a_block_starts_as_the_identity_and_can_learn_from_there(name):
    """Its way back is zero, but not shut: the gradient of that is not zero."""
    (shape, numbers), rng = CASES[name], np.random.default_rng(0)
    block = Block(**numbers)
    h, time = (rng.normal(size=size).astype("f") for size in (shape, (shape[0], 4)))

    @jax.jit
    def start(rng):
        def loss(params):
            out = block.apply(params, h, time)
            return (out**2).sum(), out

        return jax.grad(loss, has_aux=True)(block.init(rng, h, time))

    slope, out = start(jax.random.key(2))
    np.testing.assert_array_equal(out, h)
    assert abs(slope["params"]["back"]["kernel"]).max() > 0.1
