"""Discrete flows beside the authors' code (edward2), whose arrays are float32.

Theirs is arithmetic of soft vectors, ours of exact one-hots: it is linear in each argument, so
values and gradients at soft vectors are means of ours over all pairs of one-hots. Their complex
FFT leaves one-hots by 1e-7, and an inverse that does not exist is an error object that they
return; ours are exact, and refused (`test_discrete.py`).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.ops import modular
from amd_jax.transforms import discrete
from tests import golden_files
from tests.variants import quick

pytestmark = pytest.mark.slow

GOLDEN = golden_files.load("baselines/discrete_flows")
SIZES = [5, 27]


def close(result, want, atol=5e-6):
    np.testing.assert_allclose(result, want, atol=atol, rtol=1e-5)


ARITHMETIC = {  # what a and b are of `modular.affine`, as one-hots (K, K)
    "add": lambda k, a, b: modular.affine((1,), a, jnp.ones((*a.shape[:-1], 1)), b),
    "minus": lambda k, a, b: modular.affine((k - 1,), b, jnp.ones((*b.shape[:-1], 1)), a),
    "multiply": lambda k, a, b: modular.affine(
        tuple(range(1, k)), a, b[..., 1:], jnp.zeros_like(a).at[..., 0].set(1)
    ),
}


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ARITHMETIC)
@pytest.mark.parametrize("k", SIZES)
def test_arithmetic_of_soft_vectors_is_the_mean_of_ours(k, name):
    """Products leave their factor 0 out, and so their gradient of it is 0."""
    a, b, w = (GOLDEN[f"K{k}_{letter}"].astype(np.float64) for letter in "abw")
    one_hots = jnp.stack(jnp.broadcast_arrays(jnp.eye(k)[:, None], jnp.eye(k)[None]))
    z, pull = jax.vjp(lambda a, b: ARITHMETIC[name](k, a, b), *one_hots)
    z = np.asarray(z).astype(np.float64)  # [v, u, :] for a = v, b = u
    if name == "multiply":
        z[:, 0] = 0
    close(np.einsum("...v,...u,vuk->...k", a, b, z), GOLDEN[f"K{k}_{name}"])
    pulled = jax.vmap(lambda e: pull(jnp.broadcast_to(e, (k, k, k))))(jnp.eye(k))
    d_a, d_b = (np.array(d, np.float64) for d in pulled)  # [w, v, u, :]
    if name == "multiply":
        d_a[:, :, 0] = 0
        d_b[..., 0] = 0
    close(np.einsum("...w,...u,wuk->...k", w, b, d_a[:, 0]), GOLDEN[f"K{k}_{name}_grad_a"])
    close(np.einsum("...w,...v,wvk->...k", w, a, d_b[:, :, 1]), GOLDEN[f"K{k}_{name}_grad_b"])


@pytest.mark.parametrize("k", SIZES)
def test_argmax_and_its_gradient(k):
    logits, tau, w = (GOLDEN[f"K{k}_{name}"] for name in ("logits", "tau", "w"))
    result, pull = jax.vjp(lambda logits: modular.harden(logits, float(tau)), jnp.asarray(logits))
    np.testing.assert_array_equal(result, GOLDEN[f"K{k}_argmax"])
    close(pull(jnp.asarray(w))[0], GOLDEN[f"K{k}_argmax_grad"], atol=2e-5)


class Reads(nn.Module):
    """Their conditioner: a table (L, K, L, 2K) and a bias; of the scales' logits those of units.

    They add -1e10 to the others, which is to leave them out.
    """

    order: np.ndarray  # bool (L, L), which places are read by which
    outputs: np.ndarray  # of 2K, those that count

    @nn.compact
    def __call__(self, x, *, train=False):
        length, k = x.shape[1:]
        shape = (length, 2 * k)
        bias = self.param("bias", nn.initializers.zeros, shape)
        table = self.param("W", nn.initializers.zeros, (length, k, *shape))
        seen = jnp.where(self.order[:, None, :, None], table, 0)
        return (jnp.einsum("blk,lkmp->bmp", x, seen) + bias)[..., self.outputs]


def flow(k, kind, scaled):
    """Their flow of one layer, and its parameters."""
    length = GOLDEN[f"K{k}_x"].shape[1]
    scales = modular.units(k) if scaled else ()
    bijection = modular.Affine(k, scales, float(GOLDEN[f"K{k}_tau"]))
    outputs = np.concatenate([np.arange(k), k + np.array(scales, int)])
    if kind == "ar":
        order = np.triu(np.ones((length, length), bool), 1)
        layer = discrete.Autoregressive(Reads(order, outputs), bijection)
    else:
        order = np.ones((length, length), bool)
        layer = discrete.Coupling(Reads(order, outputs), bijection)
        x = jnp.zeros((1, length, k))
        np.testing.assert_array_equal(layer._passes(x)[:, 0], GOLDEN[f"K{k}_bi_mask"])
    model = models.Flow((discrete.OneHot(k), layer), discrete.Product())
    (_, (name, _)) = model.chain.named()
    params = {name: {part: jnp.asarray(GOLDEN[f"K{k}_{part}"]) for part in ("W", "bias")}}
    return model, params | {"base": {"logits": jnp.asarray(GOLDEN[f"K{k}_base_logits"])}}


@pytest.mark.few(2)
@pytest.mark.parametrize("scaled", [False, True], ids=["loc", "affine"])
@pytest.mark.parametrize("kind", ["ar", "bi"])
@pytest.mark.parametrize("k", quick(SIZES, 5))
def test_flows_of_one_layer(k, kind, scaled):
    """Z, log p, its gradients, and the way back."""
    model, params = flow(k, kind, scaled)
    case, rng = f"K{k}_{kind}_{'affine' if scaled else 'loc'}", jax.random.key(0)
    x = jnp.asarray(GOLDEN[f"K{k}_x"])
    z, _ = model.forward(params, rng, x)
    np.testing.assert_array_equal(z.argmax(axis=-1), GOLDEN[f"{case}_z"])
    close(model.elbo(params, rng, x), GOLDEN[f"{case}_log_prob"], atol=1e-5)
    grad = jax.grad(lambda params: -model.elbo(params, rng, x).mean())(params)
    (name,) = grad.keys() - {"base"}
    result = {"base": grad["base"]["logits"], **grad[name]}
    for part in ("base", "bias", *(["W"] if k < 10 else [])):
        close(result[part], GOLDEN[f"{case}_grad_{part}"], atol=1e-5)
    ends = jax.nn.one_hot(GOLDEN[f"{case}_gen_z"], k)
    np.testing.assert_array_equal(model.inverse(params, rng, ends), GOLDEN[f"{case}_gen_x"])
    np.testing.assert_array_equal(model.inverse(params, rng, z), x)


KINDS = ("kernel", "bias")


def test_made():
    """Degrees, masks and numbers; the kernels are masked already, and ours mask them again."""
    x = jnp.asarray(GOLDEN["made_x"])
    hidden, outputs = tuple(GOLDEN["made_hidden"].tolist()), int(GOLDEN["made_units"])
    params = {
        name: {kind: jnp.asarray(GOLDEN[f"made_w{2 * i + j}"]) for j, kind in enumerate(KINDS)}
        for i, name in enumerate(("hidden_0", "hidden_1", "out"))
    }
    network = networks.MADE(outputs, hidden)
    close(network.apply({"params": params}, x), GOLDEN["made_out"])
    full = jax.tree.map(lambda a: jnp.where(a == 0, 7.0, a), params)  # what the masks hide
    close(network.apply({"params": full}, x), GOLDEN["made_out"])
