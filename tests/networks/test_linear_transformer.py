import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.embeddings import sinusoid
from amd_jax.networks.linear_transformer import LinearTransformer
from tests import golden_files, zoo

GOLDEN = golden_files.load("text_denoiser")
CONFIG = {k: int(GOLDEN[f"cfg/{k}"]) for k in ("dim", "depth", "heads", "local_heads", "window")}
NETWORK = LinearTransformer(int(GOLDEN["cfg/K"]), **CONFIG)


def linear(name, bias=True):
    kernel = {"kernel": GOLDEN[f"w/{name}.weight"].T}
    return kernel | {"bias": GOLDEN[f"w/{name}.bias"]} if bias else kernel


def norm(name):
    return {"scale": GOLDEN[f"w/{name}.weight"], "bias": GOLDEN[f"w/{name}.bias"]}


def block(j):
    layers = f"transformer.transformer_blocks.0.{j}.layers.layers.0"
    qkv = [linear(f"{layers}.0.fn.to_{z}", bias=False)["kernel"] for z in "qkv"]
    return {
        "norm_attn": norm(f"{layers}.0.norm"),
        "qkv": {"kernel": np.concatenate(qkv, axis=1)},
        "out": linear(f"{layers}.0.fn.to_out"),
        "norm_ff": norm(f"{layers}.1.norm"),
        "wide": linear(f"{layers}.1.fn.fn.w1"),
        "narrow": linear(f"{layers}.1.fn.fn.w2"),
    }


def reference_params():
    """The golden weights; theirs has the depth as the fastest axis of the time embedding."""
    time_out = linear("transformer.mlp.2")
    time_out = {
        k: np.swapaxes(w.reshape(*w.shape[:-1], CONFIG["dim"], -1), -1, -2).reshape(w.shape)
        for k, w in time_out.items()
    }
    params = {
        "embed": {"embedding": GOLDEN["w/transformer.first.weight"]},
        "windows": GOLDEN["w/transformer.axial_pos_emb.weights_0"][0, :, 0],
        "places": GOLDEN["w/transformer.axial_pos_emb.weights_1"][0, 0],
        "time_in": linear("transformer.mlp.0"),
        "time_out": time_out,
        "norm": norm("transformer.norm"),
        "logits": linear("transformer.out"),
        "rezero": GOLDEN["w/rezero.alpha"][0],
    }
    return params | {f"block_{j}": block(j) for j in range(CONFIG["depth"])}


def inputs(suffix=""):
    """x_t and t."""
    t = GOLDEN[f"t{suffix}"] / np.float32(GOLDEN["cfg/T"])
    return GOLDEN[f"x{suffix}"], jnp.asarray(t, jnp.float32)


@pytest.mark.few(1)
@pytest.mark.parametrize("suffix", ["", "2"])
def test_logits_are_those_of_the_reference(suffix):
    logits = jax.jit(NETWORK.apply)({"params": reference_params()}, *inputs(suffix))
    assert logits.dtype == jnp.float32
    np.testing.assert_allclose(logits, GOLDEN[f"logits{suffix}"].swapaxes(1, 2), atol=5e-5)


@pytest.mark.slow
def test_every_stage_is_that_of_the_reference_by_its_form_of_gelu():
    def run(network):
        return network.apply({"params": reference_params()}, *inputs(), capture_intermediates=True)

    _, state = jax.jit(run, static_argnums=0)(NETWORK)
    stages = state["intermediates"]
    pairs = {
        "mid/token_emb": stages["embed"],
        "mid/block0_attn_norm": stages["block_0"]["norm_attn"],
        "mid/block0_attn": stages["block_0"]["out"],
        "mid/block0_ff": stages["block_0"]["narrow"],
        "mid/block0_out": stages["block_0"],
        "mid/block1_out": stages["block_1"],
        "mid/final_norm": stages["norm"],
        "mid/final_linear": stages["logits"],
    }
    for name, ours in pairs.items():
        np.testing.assert_allclose(ours["__call__"][0], GOLDEN[name], atol=5e-5, err_msg=name)
    time = sinusoid(inputs()[1], CONFIG["dim"])
    np.testing.assert_allclose(time, GOLDEN["f64/mid/time_sinusoid"], atol=2e-4)
    other, _ = jax.jit(run, static_argnums=0)(NETWORK.copy(exact_gelu=False))
    assert 5e-5 < np.abs(other - GOLDEN["logits"].swapaxes(1, 2)).max() < 1e-2


def test_the_papers_text8_network_has_the_references_number_of_parameters():
    shapes = jax.eval_shape(
        LinearTransformer(27).init, jax.random.key(0), jnp.zeros((1, 256), int), jnp.zeros(1)
    )
    assert sum(p.size for p in jax.tree.leaves(shapes)) == 51_545_116
    assert {p.dtype for p in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("local_heads", [0, 2])  # none, and all
def test_shorter_texts_use_the_first_windows(local_heads):
    network = LinearTransformer(5, dim=8, depth=1, heads=2, window=4, local_heads=local_heads)
    params = zoo.drawn(network, jnp.zeros((1, 16), int), jnp.zeros(1))
    logits = jax.eval_shape(network.apply, params, jnp.zeros((2, 8), int), jnp.zeros(2))
    assert logits.shape == (2, 8, 5)
