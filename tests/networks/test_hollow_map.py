import jax
import numpy as np

from amd_jax import networks


def test_without_labels_the_parameters_are_as_before():
    x, t = jax.ShapeDtypeStruct((2, 4, 5), np.int32), jax.ShapeDtypeStruct((2,), np.float32)
    network = networks.HollowMap(6, 8, (1,), 1, join_width=8, join_blocks=1)
    params = jax.eval_shape(network.init, jax.random.key(0), x, t)["params"]
    towers = [
        f"{tower}_{part}"
        for tower in ("before", "after")
        for part in ("above_0", "above_in", "beside_0", "beside_in", "columns", "rows")
    ]
    assert sorted(params) == sorted([*towers, "join", "joint_0", "out", "time"])
