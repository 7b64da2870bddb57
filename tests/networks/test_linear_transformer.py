import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.embeddings import sinusoid
from amd_jax.networks.linear_transformer import LinearTransformer
from tests import golden_files
from tests.variants import quick

GOLDEN = golden_files.load("text_denoiser")
CONFIG = {k: int(GOLDEN[f"cfg/{k}"]) for k in ("dim", "depth", "heads", "local_heads", "window")}
NETWORK = LinearTransformer(int(GOLDEN["cfg/K"]), **CONFIG)
STEPS = int(GOLDEN["cfg/T"])


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


@pytest.mark.few(1)
@pytest.mark.parametrize("suffix", ["", "2"])
def test_logits_are_those_of_the_reference(suffix):
    x, t = GOLDEN[f"x{suffix}"], GOLDEN[f"t{suffix}"] / np.float32(STEPS)
    t = jnp.asarray(t, jnp.float32)
    logits = jax.jit(NETWORK.apply)({"params": reference_params()}, x, t)
    assert logits.dtype == jnp.float32
    np.testing.assert_allclose(logits, GOLDEN[f"logits{suffix}"].swapaxes(1, 2), atol=5e-5)


@pytest.mark.slow
def test_every_stage_is_that_of_the_reference():
    t = jnp.asarray(GOLDEN["t"] / np.float32(STEPS), jnp.float32)
    _, state = NETWORK.apply(
        {"params": reference_params()}, GOLDEN["x"], t, capture_intermediates=True
    )
    stages = jax.tree.map(
        lambda z: z[0], state["intermediates"], is_leaf=lambda z: type(z) is tuple
    )
    pairs = {
        "mid/token_emb": stages["embed"]["__call__"],
        "mid/block0_attn_norm": stages["block_0"]["norm_attn"]["__call__"],
        "mid/block0_attn": stages["block_0"]["out"]["__call__"],
        "mid/block0_ff": stages["block_0"]["narrow"]["__call__"],
        "mid/block0_out": stages["block_0"]["__call__"],
        "mid/block1_out": stages["block_1"]["__call__"],
        "mid/final_norm": stages["norm"]["__call__"],
        "mid/final_linear": stages["logits"]["__call__"],
    }
    for name, ours in pairs.items():
        np.testing.assert_allclose(ours, GOLDEN[name], atol=5e-5, err_msg=name)
    np.testing.assert_allclose(
        sinusoid(t, CONFIG["dim"]), GOLDEN["f64/mid/time_sinusoid"], atol=2e-4
    )


@pytest.mark.slow
def test_the_form_of_gelu_matters_and_is_a_number_of_the_config():
    t = jnp.asarray(GOLDEN["t"] / np.float32(STEPS), jnp.float32)
    other = NETWORK.copy(exact_gelu=False).apply({"params": reference_params()}, GOLDEN["x"], t)
    error = np.abs(other - GOLDEN["logits"].swapaxes(1, 2)).max()
    assert 5e-5 < error < 1e-2


def test_the_papers_text8_network_has_the_references_number_of_parameters():
    shapes = jax.eval_shape(
        LinearTransformer(27).init, jax.random.key(0), jnp.zeros((1, 256), int), jnp.zeros(1)
    )
    assert sum(p.size for p in jax.tree.leaves(shapes)) == 51_545_116
    assert {p.dtype for p in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}


def small(**changes):
    return LinearTransformer(5, **{"dim": 8, "depth": 1, "heads": 2, "window": 4} | changes)


def initialised(network, length=8):
    x = jnp.zeros((1, length), int)
    return jax.jit(network.init)(jax.random.key(0), x, jnp.zeros(1))


@pytest.mark.slow
def test_untrained_it_is_uniform_and_every_parameter_can_learn():
    network = small(local_heads=1)
    params = initialised(network)["params"]
    x, t = jax.random.randint(jax.random.key(1), (3, 8), 0, 5), jnp.array([0.1, 0.5, 1.0])
    assert not network.apply({"params": params}, x, t).any()
    awake = params | {"rezero": jnp.ones(())}
    grads = jax.jit(jax.grad(lambda p: jnp.sum(network.apply({"params": p}, x, t) ** 3)))(awake)
    dead = [jax.tree_util.keystr(k) for k, g in jax.tree.leaves_with_path(grads) if not g.any()]
    assert not dead


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("local_heads", quick([0, 1, 2], 1))
def test_shorter_texts_use_the_first_windows(local_heads):
    network = small(local_heads=local_heads)
    params = initialised(network, length=16)
    shape = jax.eval_shape(network.apply, params, jnp.zeros((2, 8), int), jnp.zeros(2)).shape
    assert shape == (2, 8, 5)
    with pytest.raises(ValueError, match="texts of 16 tokens; got L=20"):
        network.apply(params, jnp.zeros((2, 20), int), jnp.zeros(2))
