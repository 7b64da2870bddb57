"""The encodings of the authors' code (Lippe and Gavves, 2021), given its weights and noise.

Its draws are truncated, u (1 - 1e-4) + 5e-5 in the place of u, and q is that of whole logistics:
1e-4 nats a dimension too low. Ours are whole draws, of the same q: here they are given theirs.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.ops import categorical, scalars
from amd_jax.transforms import (
    autoregressive,
    conditional,
    coupling,
    dequantize,
    elementwise,
    encodings,
    laws,
)
from tests import golden_files
from tests.networks import test_lstm as lstm_weights
from tests.variants import quick

pytestmark = pytest.mark.slow

WIDE = np.log(1.81)  # their standard noise has a variance of 1


class Group:
    """One group of the file; weights and noise in float64, as the arrays of its float64 run."""

    def __init__(self, name):
        self.arrays = {
            key.removeprefix(start): value
            for start in (f"{name}/", f"f64/{name}/")  # the second where both have it
            for key, value in golden_files.load("baselines/categorical_nf").items()
            if key.startswith(start)
        }

    def __getitem__(self, key):
        result = self.arrays[key]
        return jnp.asarray(result, jnp.int32 if result.dtype.kind == "i" else jnp.float64)

    def w(self, name, weight="weight"):
        return self[f"w/{name}.{weight}"]

    def dense(self, name, x):
        return x @ self.w(name).T + self.w(name, "bias")


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64():
        yield


class Reading:
    """A conditioner that is a function of what it reads."""

    def __init__(self, function):
        self.function = function

    def apply(self, variables, x, *, train=False, rngs=None):
        return self.function(x)


class Mix:
    """Their 1x1 convolution, a product of factors with a permutation of its own."""

    def __init__(self, g, name):
        eye = jnp.eye(len(g.w(name, "p")))
        lower = jnp.tril(g.w(name, "l"), -1) + eye
        diagonal = g.w(name, "sign_s") * jnp.exp(g.w(name, "log_s"))
        upper = jnp.triu(g.w(name, "u"), 1) + jnp.diag(diagonal)
        self.matrix = g.w(name, "p") @ lower @ upper

    def forward(self, params, rng, x, *, train=False):
        nats = np.prod(x.shape[1:-1]) * jnp.linalg.slogdet(self.matrix)[1]
        return x @ self.matrix, jnp.full(len(x), nats)

    def inverse(self, params, rng, z):
        return z @ jnp.linalg.inv(self.matrix)


class ActNorm(elementwise.ActNorm):
    """Ours, with their parameters."""

    def __init__(self, g, name):
        shift, log_scale = (g.w(name, kind).reshape(-1) for kind in ("bias", "scales"))
        self.result = {"shift": shift, "log_scale": log_scale}

    def forward(self, params, rng, x, *, train=False):
        return super().forward(self.result, rng, x)

    def inverse(self, params, rng, z):
        return super().inverse(self.result, rng, z)


def gelu(x):
    return jax.nn.gelu(x, approximate=False)


def embedded(g):
    return Reading(lambda x: g.w("embed_layer")[x])


def given(g, noise=None, shrunk=1e-4):
    """Standard logistic draws: theirs."""
    u = (g["u"] if noise is None else noise) * (1 - shrunk) + shrunk / 2
    draw = jnp.log(u) - jnp.log1p(-u)
    return laws.LocationScale(laws.LOGISTIC.log_density, lambda rng, shape: draw.reshape(shape))


def shift_and_scale(g, name):
    """[t, log_s] of their class-conditional ActNorm z = (z + b) exp(tanh r): e -> (..., D, 2)."""

    def read(e):
        b, r = jnp.split(g.dense(f"{name}.pred_net.layer", e), 2, axis=-1)
        return jnp.stack([b * jnp.exp(jnp.tanh(r)), jnp.tanh(r)], axis=-1)

    return read


def linear_net(g, name, v, e=None):
    """Their small network of latents v and features e, GELU between."""
    h = gelu(g.dense(f"{name}.inp_layer.0", v))
    h = h if e is None else jnp.concatenate([h, e], axis=-1)
    return g.dense(f"{name}.main_net.2", gelu(g.dense(f"{name}.main_net.0", h)))


def bounded(x, factor):
    return jnp.tanh(x / jnp.maximum(jnp.exp(factor), 1)) * jnp.exp(factor)


def moved(raw, dim):
    """What their couplings compute for all channels, of those that move: (..., D / 2, P)."""
    return raw.reshape(*raw.shape[:-1], dim, -1)[..., dim // 2 :, :]


def affine(g, name, dim, v, e):
    """[t, log_s] of their affine coupling z = (z + t) exp(s) with s first."""
    s, t = jnp.moveaxis(moved(linear_net(g, f"{name}.nn", v, e), dim), -1, 0)
    s = bounded(s, g.w(name, "scaling_factor")[dim // 2 :])
    return jnp.stack([t * jnp.exp(s), s], axis=-1)


def mixture(g, name, dim, raw):
    """Parameters of their mixture CDFs, both log-scales bounded."""
    raw = moved(raw, dim)
    factors = (g.w(name, "scaling_factor"), g.w(name, "mixture_scaling_factor"))
    own, each = (factor[dim // 2 :] for factor in factors)
    t, log_s, middle, mixt = jnp.split(raw, [1, 2, 2 + 2 * each.shape[-1]], axis=-1)
    return jnp.concatenate([t, bounded(log_s, own[:, None]), middle, bounded(mixt, each)], -1)


def still(state, dim):
    """Of [e, the half that passes]: their masked latents, e."""
    e, passing = state[..., :8], state[..., 8:]
    return jnp.pad(passing, [(0, 0)] * (state.ndim - 1) + [(0, dim - dim // 2)]), e


def class_flow(g, kind, layers):
    """q(z | x) of `layers` times ActNorm, 1x1 convolution, coupling."""
    dim, parts = g["u"].shape[-1], []
    for i in range(0, 3 * layers, 3):
        norm, mix, couple = (f"flow_layers.{j}" for j in range(i, i + 3))
        parts.append(
            conditional.Given(Reading(shift_and_scale(g, norm)), scalars.Affine(), context=8)
        )
        parts.append(conditional.Beside(8, Mix(g, mix)))
        if kind == "mixture":
            bijection = scalars.LogisticMixture(3)

            def read(state, name=couple):
                v, e = still(state, dim)
                return mixture(g, name, dim, linear_net(g, f"{name}.nn", v, e))
        else:
            bijection = scalars.Affine()

            def read(state, name=couple):
                return affine(g, name, dim, *still(state, dim))

        parts.append(coupling.Coupling(Reading(read), bijection, context=8))
    noise = laws.Fixed(given(g), jnp.array([0.0, -WIDE]))
    return conditional.ConditionalFlow(noise, embedded(g), 8, tuple(parts), (dim,))


def logistics(g, prefix=""):
    """q(z | x) of their mixture encoding."""
    read, table = shift_and_scale(g, f"{prefix}flow_layers.0"), g.w(f"{prefix}embed_layer")
    theta = lambda x: read(table[x]) - jnp.array([0.0, WIDE])  # noqa: E731
    return laws.Conditional(given(g), Reading(theta), (g["u"].shape[-1],))


def learned(g):
    def read(z):
        v = jnp.concatenate([z, jax.nn.elu(z), jax.nn.elu(-z)], axis=-1)
        return linear_net(g, "decoder.layers", v)

    return encodings.Learned(Reading(read))


ENCODERS = {
    "mixture_a": logistics,
    "mixture_b": logistics,
    "linear_a": lambda g: class_flow(g, "affine", 2),
    "linear_b": lambda g: class_flow(g, "affine", 1),
    "decoder": logistics,
    "variational": lambda g: class_flow(g, "mixture", 2),
}
LEARNED = ("decoder", "variational")
RNG = jax.random.key(0)


def encoding(name, g):
    prior = g["category_logits"] if "category_logits" in g.arrays else 0.0
    decoder = learned(g) if name in LEARNED else encodings.Bayes(prior)
    return encodings.Encoding(len(g.w("embed_layer")), ENCODERS[name](g), decoder)


PARAMS = {"encoder": {"context": {}}}


def near(result, want, rtol=1e-9):
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, want, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("name", quick(ENCODERS, "mixture_b", "linear_b"))
def test_encodings_are_those_of_the_authors(name):
    """Draws, bound, decoder and densities; with a decoder's weight of 1.7, as they anneal it.

    They decode other latents by the likeliest class, in float32; ours is drawn.
    """
    g = Group(name)
    part = encoding(name, g)

    @jax.jit
    def compute():
        z, nats = part.forward(PARAMS, RNG, g["x"])
        _, decoded, _ = part.draw(PARAMS, RNG, g["x"])
        log_q = part.encoder.log_prob(PARAMS["encoder"], z, g["x"])
        return z, nats, decoded, log_q, part.log_probs(PARAMS, z)

    z, nats, decoded, log_q, log_p = compute()
    near(z, g["z"])
    near(nats, g["ldj"])
    near(decoded - log_q, g["ldj"])
    near(jnp.exp(log_p).sum(axis=-1), np.ones(g["x"].shape))
    if name in LEARNED:
        return
    near(nats + 0.7 * decoded, g["ldj_beta1.7"])
    near(log_q, (g["log_q_eps"] - g["flow_ldj"]).sum(axis=1))
    near(categorical.gather(log_p, g["x"]), g["log_posterior"])
    near(given(g).draw(None, g["x"].shape + (-1,)), 1.81 * g["eps"])
    likeliest = jax.jit(part.log_probs)(PARAMS, g["free_z"]).argmax(axis=-1)
    np.testing.assert_array_equal(likeliest, g["free_decoded"])


def test_dequantisation_is_that_of_the_authors():
    """Their z is K times ours, and without a margin at the ends of an interval.

    A coupling of every other place reads no latents at all there.
    """
    g = Group("dequantise")
    parts = []
    for i in (0, 2):
        parts.append(conditional.Beside(8, ActNorm(g, f"flow_layers.{i}")))
        name = f"flow_layers.{i + 1}"
        moves = 1 - jnp.tile(g.w(name, "mask").reshape(-1), g["x"].shape[1] // 2)

        def read(e, name=name, moves=moves):
            net = f"{name}.nn"
            s, t = jnp.moveaxis(linear_net(g, net, jnp.zeros((*e.shape[:-1], 1)), e), -1, 0)
            s = bounded(s, g.w(name, "scaling_factor"))
            return jnp.stack([t * jnp.exp(s), s], axis=-1) * moves[:, None]

        parts.append(conditional.Given(Reading(read), scalars.Affine(), context=8))
    noise = laws.Fixed(given(g, shrunk=1e-5))
    flow = conditional.ConditionalFlow(noise, embedded(g), 8, tuple(parts))
    part = dequantize.Variational(5, flow)
    z, nats = jax.jit(lambda x: part.forward({"context": {}}, RNG, x))(g["x"])
    size = g["x"].shape[1]
    m, theirs = dequantize.MARGIN, g["z"][..., 0]
    near(5 * z, g["x"] + m + (1 - 2 * m) * (theirs - g["x"]))
    slope = np.log(5) - np.log1p(-2 * m) + np.log1p(-1e-5)
    near(nats + size * slope, g["ldj"])


def set_network(g, name):
    """Parameters of `networks.SetTransformer`, of one block."""

    def dense(layer, prefix="weight", bias="bias"):
        return {
            "kernel": g.w(f"{name}.nn.{layer}", prefix).T,
            "bias": g.w(f"{name}.nn.{layer}", bias),
        }

    def norm(layer):
        return {"scale": g.w(f"{name}.nn.{layer}"), "bias": g.w(f"{name}.nn.{layer}", "bias")}

    block = "transformer_layers.0"
    out = dense("output_layer.3")
    out["kernel"] = moved(out["kernel"], 4).reshape(len(out["kernel"]), -1)
    out["bias"] = moved(out["bias"], 4).reshape(-1)
    entry = dense("input_layer.0")
    return {
        "in": {**entry, "kernel": entry["kernel"][:2]},
        "narrow": dense("input_layer.2"),
        "qkv_0": dense(f"{block}.self_attn", "in_proj_weight", "in_proj_bias"),
        "heard_0": dense(f"{block}.self_attn.out_proj"),
        "norm_0": norm(f"{block}.norm1"),
        "wide_0": dense(f"{block}.linear1"),
        "back_0": dense(f"{block}.linear2"),
        "outer_norm_0": norm(f"{block}.norm2"),
        "norm": norm("output_layer.0"),
        "hidden": dense("output_layer.1"),
        "out": out,
        "bounds": {
            kind: g.w(name, kind)[2:] for kind in ("scaling_factor", "mixture_scaling_factor")
        },
    }


def test_flow_over_sets_is_that_of_the_authors():
    g = Group("set_flow")
    network = networks.SetTransformer(2, components=3, width=16, blocks=1, heads=4)
    lift = encodings.Encoding(4, logistics(g, "flow_layers.0."))
    parts, params = [lift], {"00_Encoding": PARAMS}
    for i in (1, 4):
        names = [f"flow_layers.{j}" for j in range(i, i + 3)]
        couple = coupling.Coupling(network, scalars.LogisticMixture(3))
        parts += [ActNorm(g, names[0]), Mix(g, names[1]), couple]
        params[f"{i + 2:02d}_Coupling"] = set_network(g, names[2])
    model = models.Flow(tuple(parts), laws.Fixed(laws.LOGISTIC, jnp.array([0.0, -WIDE])))

    def compute():
        z, result = g["x"], []
        for name, part in model.chain.named():
            z, nats = part.forward(params.get(name, {}), RNG, z)
            result.append((z, nats))
        return result, model.base.log_prob({}, z), model.elbo(params, RNG, g["x"])

    result, log_base, elbo = jax.jit(compute)()
    for i, (z, nats) in enumerate(result):
        near(z, g[f"mid/{i}_z"])
        near(nats, g[f"mid/{i}_ldj"])
    near(log_base, g["log_prior"])
    near(elbo, g["elbo"])
    near(-elbo / (4 * np.log(2)), g["bpd"])


def text_network(g):
    """Parameters of `networks.AutoregressiveLSTM`, as `test_lstm` has them for another file."""
    golden = {key: np.asarray(value, np.float32) for key, value in g.arrays.items()}
    name = "2.nn.lstm_model"
    return {
        "steps": lstm_weights.step_features(golden, name),
        "lstm_0": lstm_weights.lstm(golden, f"{name}.lstm_module", "l0"),
        "narrow": lstm_weights.linear(golden, f"{name}.net.1"),
        "channels": lstm_weights.channel_net(golden, f"{name}.out_layer", 3),
        "bounds": {
            kind: golden[f"w/2.{kind}"] for kind in ("scaling_factor", "mixture_scaling_factor")
        },
    }


def test_flow_over_text_is_that_of_the_authors():
    """Its LSTM computes in float32, as all of ours."""
    g = Group("text_flow")
    lift = encodings.Encoding(27, logistics(g, "0."))
    norm = ActNorm(g, "1")
    network = networks.AutoregressiveLSTM(16, components=4)
    layer = autoregressive.Autoregressive(network, scalars.LogisticMixture(4))
    base = laws.Fixed(laws.LOGISTIC, jnp.array([0.0, -WIDE]))

    def compute():
        z, nats = lift.forward(PARAMS, RNG, g["x"])
        normed = norm.forward({}, RNG, z)
        end = layer.forward(text_network(g), RNG, normed[0].astype(jnp.float32))
        return (z, nats), normed, end, base.log_prob({}, end[0])

    first, second, (z, nats), log_base = jax.jit(compute)()
    near(first[0], g["z_enc"])
    near(first[1], g["ldj_enc"])
    near(second[0], g["z_actnorm"])
    near(second[1], g["ldj_actnorm"])
    close = functools.partial(np.testing.assert_allclose, atol=5e-5, rtol=1e-5)
    close(z, g["z"])
    close(nats, g["ldj_ar"])
    close(log_base, g["log_prior"])
    close(first[1] + second[1] + nats + log_base, g["elbo"])
