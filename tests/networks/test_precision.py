"""Half precision, recomputation and dropout, over every network that an experiment can choose."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from amd_jax import networks
from amd_jax.networks import blocks, unet
from amd_jax.networks.primitives import recurrence
from tests.networks.test_twins import TWINS
from tests.variants import quick

K = 5
RNG = np.random.default_rng(0)
TEXT, MAP = RNG.integers(0, K, (4, 8)), RNG.integers(0, K, (2, 4, 4))
TIME = np.array([0.2, 0.5, 0.7, 0.9], np.float32)
STEPS, PIXELS = (RNG.normal(size=size).astype("f") for size in ((4, 8, 4), (2, 4, 4, 4)))
NOISY, NOISY_MAP = (TEXT, TIME), (MAP, TIME[:2])
SIZES = (5, 3, 4, 5) * 2  # of the fields of a table
CELLS = TEXT % np.array(SIZES)
SMALL = dict(width=32, blocks=1, heads=2, dropout=0.5)
DENSE = networks.DenseNet(4, blocks=1, growth=16, depth=2, dropout=0.5, width=32)
NETWORKS = {
    "linear_transformer": (
        networks.LinearTransformer(
            K, dim=32, depth=1, heads=4, local_heads=2, window=4, dropout=0.5
        ),
        NOISY,
    ),
    "transformer": (networks.Transformer(K, **SMALL), NOISY),
    "hollow": (networks.Hollow(K, **SMALL, join_width=32, join_blocks=1, taps=3), NOISY),
    "hollow_map": (
        networks.HollowMap(K, width=32, dilations=(1,), window=1, join_blocks=0, dropout=0.5),
        NOISY_MAP,
    ),
    "causal_transformer": (networks.CausalTransformer(K, **SMALL), (TEXT,)),
    "causal_lstm": (networks.CausalLSTM(K, width=32, dropout=0.5), (TEXT,)),
    "transformer_xl": (
        networks.TransformerXL(K, **SMALL, inner=64, segment=4, memory=4, attention_dropout=0.1),
        (TEXT,),
    ),
    "unet": (networks.UNet(K, 16, multipliers=(1, 1), heads=1, dropout=0.5), NOISY_MAP),
    "dense_net": (DENSE, (STEPS,)),
    "dense_net_of_maps": (DENSE, (PIXELS,)),
    "autoregressive_transformer": (
        networks.AutoregressiveTransformer(32, 2, blocks=1),
        (STEPS,),
    ),
    "autoregressive_lstm": (networks.AutoregressiveLSTM(32, 2), (STEPS,)),
    "bidirectional_lstm": (networks.BidirectionalLSTM(32, 2, 2, layers=1), (STEPS,)),
    "context_lstm": (networks.ContextLSTM(K, 4, width=32, context=16), (TEXT,)),
    "pointwise_context": (networks.PointwiseContext(K, 4, width=32, context=16), (TEXT,)),
    "table_net": (
        networks.TableNet(K, SIZES, width=384, blocks=2, dropout=0.5),
        (CELLS, TIME),
    ),
    "causal_table": (networks.CausalTable(K, SIZES, **SMALL), (CELLS,)),
}


LARGE = ("unet", "transformer_xl", "table_net", "causal_table")  # slow to trace
DEEP = [name for name, (network, _) in NETWORKS.items() if hasattr(network, "remat")]


@functools.cache
def parameters(name):
    """Random ones, which open every path."""
    network, inputs = NETWORKS[name]
    shapes = jax.eval_shape(network.init, jax.random.key(0), *inputs)
    rng = np.random.default_rng(2)
    return jax.tree.map(lambda w: (rng.normal(size=w.shape) / 6).astype(w.dtype), shapes)


@functools.cache
def traced(name, **changes):
    """The gradient of the mean square of the outputs, and these, in training; as a program."""
    network, inputs = NETWORKS[name]
    network = network.clone(**changes)

    def loss(params):
        out = network.apply(params, *inputs, train=True, rngs={"dropout": jax.random.key(0)})
        return jnp.square(out).mean(), out

    return jax.jit(jax.grad(loss, has_aux=True)).trace(parameters(name))


@functools.cache
def result(name, **changes):
    """The gradient and the outputs themselves."""
    return traced(name, **changes).lower().compile()(parameters(name))


def equations(jaxpr):
    """All of them, those of inner programs too."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from equations(inner)


def products(jaxpr):
    """(dtypes of the operands, number of multiplications) of every product and convolution."""
    for equation in equations(jaxpr):
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            a, b, out = (v.aval for v in (*equation.invars, *equation.outvars))
            if equation.primitive.name == "dot_general":
                contracted = (a.shape[i] for i in equation.params["dimension_numbers"][0][0])
            else:
                contracted = b.shape[:-1]
            yield {a.dtype.name, b.dtype.name}, out.size * math.prod(contracted)


def distance(a, b):
    """Of b from a, relative to a."""
    a, b = (np.asarray(z, np.float32) for z in (a, b))
    return np.linalg.norm(a - b) / np.linalg.norm(a)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_is_near_float32_and_not_the_same(name):
    grads, out = result(name)
    rounded_grads, rounded = result(name, dtype="bfloat16")
    assert rounded.dtype == jnp.float32
    assert 3e-4 < distance(out, rounded) < 0.03
    pairs = zip(jax.tree.leaves_with_path(grads), jax.tree.leaves(rounded_grads), strict=True)
    for (path, grad), other in pairs:
        assert other.dtype == jnp.float32
        assert 0 < distance(grad, other) < 0.15, jax.tree_util.keystr(path)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", quick(NETWORKS, *set(NETWORKS) - {*LARGE}))
def test_in_bfloat16_all_large_products_are_and_no_sum(name):
    def float32_share(**changes):
        sizes = list(products(traced(name, **changes).jaxpr))
        everything = sum(size for _, size in sizes)
        return sum(size for dtypes, size in sizes if dtypes != {"bfloat16"}) / everything

    assert float32_share() == 1
    assert float32_share(dtype="bfloat16") < 0.12  # time and the last layer
    for equation in equations(traced(name, dtype="bfloat16").jaxpr):
        if equation.primitive.name in ("reduce_sum", "scatter-add"):
            assert equation.outvars[0].aval.dtype == jnp.float32


@pytest.mark.few(4)
@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_float32_and_other_dtypes_are_refused(name):
    network, inputs = NETWORKS[name]
    init = network.clone(dtype="bfloat16").init
    shapes = jax.eval_shape(init, jax.random.key(0), *inputs)
    assert {w.dtype for w in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    with pytest.raises(ValueError, match="float32 or bfloat16; got dtype='float16'. Use"):
        jax.eval_shape(network.clone(dtype="float16").init, jax.random.key(0), *inputs)


DROPPING = [name for name, (n, _) in NETWORKS.items() if {"dropout", "input_dropout"} & {*vars(n)}]


@pytest.mark.few(4)
@pytest.mark.parametrize("name", quick(DROPPING, *set(DROPPING) - {*LARGE}))
def test_numbers_are_drawn_in_training_and_only_then(name):
    """By the program; without a key a network that draws in evaluation fails."""
    network, inputs = NETWORKS[name]
    field = "dropout" if hasattr(network, "dropout") else "input_dropout"
    network = network.clone(**{field: 0.5})

    def program(train):
        def call(variables, rng):
            rngs = {"dropout": rng} if train else None
            return network.apply(variables, *inputs, train=train, rngs=rngs)

        return str(jax.make_jaxpr(call)(parameters(name), jax.random.key(1)))

    assert "random_bits" in program(train=True)
    assert "random_bits" not in program(train=False)


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("name", DEEP)
def test_recomputed_blocks_give_the_same(name):
    """The masks of dropout included."""
    plain, again = result(name), result(name, remat=True)
    assert jax.tree.structure(plain) == jax.tree.structure(again)
    for one, other in zip(*map(jax.tree.leaves, (plain, again)), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5 * np.abs(one).max())


@pytest.mark.few(1)
@pytest.mark.parametrize("name", quick(DEEP, *set(DEEP) - {*LARGE}))
def test_recomputed_blocks_keep_less_and_have_the_same_parameters(name):
    network, inputs = NETWORKS[name]
    shapes = jax.eval_shape(network.clone(remat=True).init, jax.random.key(0), *inputs)
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, parameters(name))

    def kept(remat):
        def pulled(params):
            rngs = {"dropout": jax.random.key(0)}
            run = network.clone(remat=remat).apply
            return jax.vjp(lambda p: run(p, *inputs, train=True, rngs=rngs), params)[1]

        return sum(a.size for a in jax.tree.leaves(jax.eval_shape(pulled, shapes)))

    assert kept(remat=True) < 0.8 * kept(remat=False)


WRITTEN_OUT = (
    *("attention", "linear attention", "rows times a matrix", "convolution", "recurrence"),
    "taps of text",
)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_written_out_gradients_have_the_dtypes_of_the_arguments(name):
    function, _, shapes, _ = TWINS[name]
    arguments = [jnp.asarray(RNG.normal(size=shape), jnp.bfloat16) for shape in shapes]

    def both(*arguments):
        out, pull = jax.vjp(function, *arguments)
        return out, *pull(jnp.cos(jnp.arange(out.size)).reshape(out.shape).astype(out.dtype))

    rounded = jax.jit(both)(*arguments)
    assert {z.dtype for z in rounded} == {jnp.dtype("bfloat16")}
    assert all(dtypes == {"bfloat16"} for dtypes, _ in products(jax.make_jaxpr(both)(*arguments)))
    exact = jax.jit(both)(*(z.astype(jnp.float32) for z in arguments))
    for one, other in zip(exact, rounded, strict=True):
        assert 0 < distance(one, other) < 0.02


def test_upsampling_is_in_the_dtype_of_its_input():
    x = jnp.ones((1, 2, 2, 3), jnp.bfloat16)
    init = unet.Upsample(4).init_with_output
    assert jax.eval_shape(init, jax.random.key(0), x)[0].dtype == jnp.bfloat16


@pytest.mark.few(1)
@pytest.mark.parametrize("activation", [unet.mish, blocks.relu_squared, jax.nn.gelu, jax.nn.elu])
def test_slopes_of_activations_survive_bfloat16(activation):
    """Mish's is a difference of two numbers that grow with x."""
    x = jnp.linspace(-6, 21, 2001).astype(jnp.bfloat16)
    slope = jax.jit(jax.vmap(jax.grad(activation)))
    wanted = slope(x.astype(jnp.float32))
    np.testing.assert_allclose(slope(x).astype(jnp.float32), wanted, rtol=0.01, atol=0.02)


@pytest.mark.slow
def test_a_cell_remembers_in_bfloat16():
    """1 - σ(8) = 0.0003 is lost where numbers near 1 are 0.004 apart."""
    gates = jnp.tile(jnp.repeat(jnp.array([0.0, 8, 0, 0]), 2), (1, 2000, 1))
    gates = gates.at[:, 0, :6].set(3.0)
    h, rounded = (
        recurrence.recurrence(gates.astype(dtype), jnp.zeros((2, 8), dtype))
        for dtype in (jnp.float32, jnp.bfloat16)
    )
    assert h[0, -1, 0] < 0.7 * h[0, 10, 0]
    assert distance(h, rounded) < 0.01


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "carried", "near"),
    [("autoregressive_lstm", "float32", 0.01), ("autoregressive_transformer", "bfloat16", 0.02)],
)
def test_step_by_step_it_gives_the_same(name, carried, near):
    network, (v,) = NETWORKS[name]
    call = functools.partial(network.clone(dtype="bfloat16").apply, parameters(name))

    @jax.jit
    def second_position():
        carry = call(*v.shape[:2], method="start")
        for p in range(2):
            carry, features = call(carry, v[:, max(p - 1, 0)], p, method="advance")
        return carry, call(features, v[:, 1], 2, method="channel")

    carry, theta = second_position()
    assert {z.dtype for z in jax.tree.leaves(carry)} == {jnp.dtype(carried)}
    assert theta.dtype == jnp.float32
    assert distance(result(name, dtype="bfloat16")[1][:, 1, 2], theta) < near
