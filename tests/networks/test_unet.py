import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.unet import UNet, mish
from tests import golden_files

GOLDEN = golden_files.load("unet")
NETWORK = UNet(
    int(GOLDEN["cfg/K"]), int(GOLDEN["cfg/dim"]), tuple(int(m) for m in GOLDEN["cfg/mults"])
)
TIMES = jnp.asarray(GOLDEN["t"] / np.float32(GOLDEN["cfg/T"]), jnp.float32)


def weights(name, kernel):
    params = {"kernel": kernel(GOLDEN[f"w/{name}.weight"])}
    bias = f"w/{name}.bias"
    return params | {"bias": GOLDEN[bias]} if bias in GOLDEN else params


def dense(name):
    return weights(name, lambda w: w.reshape(w.shape[:2]).T)


def conv(name):
    return weights(name, lambda w: w.transpose(2, 3, 1, 0))


def up(name):
    return weights(name, lambda w: w.transpose(2, 3, 0, 1))


def convolution(name):
    norm = {"scale": GOLDEN[f"w/{name}.1.weight"], "bias": GOLDEN[f"w/{name}.1.bias"]}
    return {"conv": conv(f"{name}.0"), "norm": norm}


def block(name):
    params = {"first": convolution(f"{name}.block1.block"), "time": dense(f"{name}.mlp.1")}
    params["second"] = convolution(f"{name}.block2.block")
    skip = f"{name}.res_conv"
    return params | {"skip": dense(skip)} if f"w/{skip}.weight" in GOLDEN else params


def attention(name):
    inner = f"{name}.fn.fn"
    return {
        "qkv": dense(f"{inner}.to_qkv"),
        "out": dense(f"{inner}.to_out"),
        "gate": GOLDEN[f"w/{name}.fn.g"][0],
    }


def reference_params():
    return {
        "embed": {"embedding": GOLDEN["w/embedding.weight"]},
        "time_in": dense("mlp.0"),
        "time_out": dense("mlp.2"),
        "down_0_first": block("downs.0.0"),
        "down_0_second": block("downs.0.1"),
        "down_0_attention": attention("downs.0.2"),
        "down_0": conv("downs.0.3.conv"),
        "down_1_first": block("downs.1.0"),
        "down_1_second": block("downs.1.1"),
        "down_1_attention": attention("downs.1.2"),
        "middle_first": block("mid_block1"),
        "middle_attention": attention("mid_attn"),
        "middle_second": block("mid_block2"),
        "up_1_first": block("ups.0.0"),
        "up_1_second": block("ups.0.1"),
        "up_1_attention": attention("ups.0.2"),
        "up_1": up("ups.0.3.conv"),
        "last": convolution("final_conv.0.block"),
        "out": dense("final_conv.1"),
    }


@pytest.mark.slow
def test_logits_and_every_stage_are_those_of_the_reference():
    x = GOLDEN["x"][:, 0]
    apply = jax.jit(functools.partial(NETWORK.apply, capture_intermediates=True))
    logits, state = apply({"params": reference_params()}, x, TIMES)
    assert logits.dtype == jnp.float32
    stages = state["intermediates"]
    pairs = {
        "mid/time_mlp": "time_out",
        "mid/embed": "embed",
        "mid/down0_res1": "down_0_first",
        "mid/down0_attn": "down_0_attention",
        "mid/down0_out": "down_0",
        "mid/down1_attn": "down_1_attention",
        "mid/mid_attn": "middle_attention",
        "mid/mid_res2": "middle_second",
        "mid/up0_attn": "up_1_attention",
        "mid/final_block": "last",
    }
    for name, stage in pairs.items():
        ours, theirs = stages[stage]["__call__"][0], np.moveaxis(GOLDEN[name], 1, -1)
        np.testing.assert_allclose(ours, theirs, atol=5e-5, err_msg=name)
    theirs = np.moveaxis(GOLDEN["logits"][:, :, 0], 1, -1)
    np.testing.assert_allclose(logits, theirs, atol=5e-5)


def test_the_papers_network_has_the_references_number_of_parameters():
    shapes = jax.eval_shape(
        UNet(8).init, jax.random.key(0), jnp.zeros((1, 32, 64), int), jnp.zeros(1)
    )
    assert sum(p.size for p in jax.tree.leaves(shapes)) == 29_839_184
    assert {p.dtype for p in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}


def test_mish_is_its_definition_everywhere():
    x = np.array([-50.0, -5, -0.1, 0, 0.1, 5, 19, 21, 50], np.float32)
    want = x * np.tanh(np.logaddexp(0, x.astype(np.float64)))
    np.testing.assert_allclose(jax.jit(mish)(x), want, rtol=1e-5, atol=1e-7)
    slopes = jax.jit(jax.vmap(jax.grad(mish)))(x)
    np.testing.assert_allclose(slopes[-2:], 1, atol=1e-6)
    assert np.isfinite(slopes).all()
