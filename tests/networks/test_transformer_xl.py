"""Transformer-XL against its authors' code: three segments with memory, in three settings."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.networks.relative import RelativeBlock
from amd_jax.ops import categorical
from tests import golden_files, zoo
from tests.variants import quick

GOLDEN = golden_files.load("transformer_xl")
NAMES = "K layers heads head inner Q M B clamp same_length pre_norm".split()


class Group:
    """One setting: our network, its parameters from theirs, and their numbers."""

    def __init__(self, name):
        self.name = name
        self.cfg = cfg = dict(zip(NAMES, GOLDEN[f"{name}/cfg"].tolist(), strict=True))
        self.network = networks.TransformerXL(
            cfg["K"],
            width=cfg["heads"] * cfg["head"],
            blocks=cfg["layers"],
            heads=cfg["heads"],
            inner=cfg["inner"],
            segment=cfg["Q"],
            memory=cfg["M"],
            clamp=max(0, cfg["clamp"]),
            same_length=bool(cfg["same_length"]),
            pre_norm=bool(cfg["pre_norm"]),
        )

    def __getitem__(self, key):
        return GOLDEN[f"{self.name}/{key}"]

    def linear(self, name):
        result = {"kernel": self[f"w/{name}.weight"].T}
        bias = GOLDEN.get(f"{self.name}/w/{name}.bias")
        return result if bias is None else result | {"bias": bias}

    def norm(self, name):
        return {"scale": self[f"w/{name}.weight"], "bias": self[f"w/{name}.bias"]}

    def layer(self, i):
        attention, mlp = f"layers.{i}.dec_attn", f"layers.{i}.pos_ff"
        return {
            "qkv": self.linear(f"{attention}.qkv_net"),
            "relative": self.linear(f"{attention}.r_net"),
            "out": self.linear(f"{attention}.o_net"),
            "wide": self.linear(f"{mlp}.CoreNet.0"),
            "back": self.linear(f"{mlp}.CoreNet.3"),
            "norms_0": self.norm(f"{attention}.layer_norm"),
            "norms_1": self.norm(f"{mlp}.layer_norm"),
        }

    @functools.cached_property
    def params(self):
        embed = self["w/word_emb.emb_layers.0.weight"]
        layers = [self.layer(i) for i in range(self.cfg["layers"])]
        return {
            "embed": embed,
            "begin": np.zeros((1, embed.shape[1]), np.float32),  # theirs predicts no first token
            "biases": np.stack([self["w/r_w_bias"], self["w/r_r_bias"]]),
            "bias": self["w/crit.out_layers.0.bias"],
            "layers": jax.tree.map(lambda *one: np.stack(one), *layers),
        }


@pytest.fixture(params=quick("abc", "b"), scope="module")
def group(request):
    return Group(request.param)


@pytest.mark.slow
def test_segments_with_memory_are_those_of_the_authors(group):
    """Their logits and losses, the weights of the first block, and what is kept."""
    close = functools.partial(np.testing.assert_allclose, atol=3e-6, rtol=1e-5)
    x, places = jnp.asarray(group["x"].T), group.cfg["Q"]
    variables = {"params": group.params}
    memory = group.network.apply(variables, len(x), 0, method="blank")

    def attention(block, name):
        return isinstance(block, RelativeBlock) and name == "_weights"

    how = {"method": "read", "capture_intermediates": attention}
    read = jax.jit(functools.partial(group.network.apply, variables, **how))
    for s in range(3):
        now = slice(s * places, (s + 1) * places)
        (logits, memory), kept = read(memory, x[:, now])
        close(logits, group[f"seg{s}/logits"].swapaxes(0, 1))
        close(kept["intermediates"]["layers"]["_weights"][0][0], group[f"seg{s}/attn0"])
        targets = x[:, now.start + 1 : now.stop + 1]
        close(-categorical.gather(jax.nn.log_softmax(logits), targets), group[f"seg{s}/nll"].T)
        for i, inputs in enumerate(memory.inputs):  # theirs also keeps the last output, unused
            close(inputs, group[f"seg{s}/mem{i}"].swapaxes(0, 1))
        assert memory.seen == group[f"seg{s}/mem0"].shape[0]


def test_a_memory_of_full_size_reads_as_one_that_grows(group):
    """As `models.LongMemory` holds it: what is not of the text yet is not seen."""
    x, places = jnp.asarray(group["x"].T), group.cfg["Q"]
    variables = {"params": group.params}
    memory = group.network.apply(variables, len(x), method="blank")
    read = jax.jit(functools.partial(group.network.apply, variables, method="read"))
    for s in range(3):
        logits, memory = read(memory, x[:, s * places : (s + 1) * places])
        want = group[f"seg{s}/logits"].swapaxes(0, 1)
        np.testing.assert_allclose(logits, want, atol=3e-6, rtol=1e-5)


SMALL = networks.TransformerXL(5, width=8, blocks=3, heads=2, inner=8, segment=3, memory=3)
X = jnp.array([[5, 0, 3], [5, 1, 1]])  # 5 is where a text begins


def test_no_gradient_passes_through_the_memory():
    """What stands before the first token moves what is kept of it, unknown to its gradient."""
    params = zoo.drawn(SMALL, X)["params"]

    @functools.partial(jax.jit, compiler_options=zoo.HASTE)
    def result(begin):
        def kept(begin):
            variables = {"params": {**params, "begin": begin}}
            memory = SMALL.apply(variables, 2, 0, method="blank")
            return SMALL.apply(variables, memory, X, method="read")[1].inputs

        inputs, pull = jax.vjp(kept, begin)
        return pull(jnp.ones_like(inputs))[0], kept(begin + 1) - inputs

    slope, moved = result(params["begin"])
    np.testing.assert_array_equal(slope, 0)
    assert (abs(moved).max(axis=(1, 2, 3)) > 1e-6).all()  # of every block


def test_it_walks_as_it_reads():
    """By the check of models, for parameters far from the first ones."""
    x = jnp.tile(X % 5, (4, 1))
    params = {"network": zoo.drawn(SMALL, x)["params"]}
    models.Autoregressive(SMALL).check(params, jax.random.key(0), x)


@pytest.mark.slow
def test_the_program_does_not_grow_with_the_blocks():
    def size(blocks):
        network = SMALL.clone(blocks=blocks, remat=True)
        variables = jax.eval_shape(network.init, jax.random.key(0), X)
        grad = jax.jit(jax.grad(lambda v: network.apply(v, X).sum()))
        return len(grad.lower(variables).as_text().splitlines())

    assert size(2) == size(7)


@pytest.mark.slow
def test_every_block_starts_and_drops_in_its_own_way():
    network = SMALL.clone(attention_dropout=0.5)
    variables = network.init(jax.random.key(1), X)
    kept = network.apply(
        *(variables, X),
        train=True,
        rngs={"dropout": jax.random.key(2)},
        capture_intermediates=lambda block, name: block.name == "drop_weights",
    )[1]["intermediates"]["layers"]["drop_weights"]
    masks = kept["__call__"][0] == 0  # (blocks, B, H, Q, Q)
    for stacked in (variables["params"]["layers"]["qkv"]["kernel"], masks):
        assert len(stacked) == 3
        assert not any((stacked[i] == stacked[i - 1]).all() for i in range(3))
