"""Latent flows of sequences given the weights and noise of Ziegler and Rush's code."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks import latent
from amd_jax.ops import scalars
from amd_jax.transforms import laws
from amd_jax.transforms.chain import Chain
from tests import zoo
from tests.models import textflow
from tests.variants import quick

pytestmark = pytest.mark.slow

ARRAYS = textflow.ARRAYS
PRECISIONS = {"float64": dict(rtol=1e-9, atol=1e-11), "float32": dict(rtol=2e-4, atol=2e-4)}


def test_nlsq_is_theirs_and_its_inverse_is_exact():
    """Their closed-form root is off by rounding, ours is not."""
    with jax.enable_x64(True):
        theta, z = (jnp.asarray(ARRAYS[f"nlsq/{n}"], "float64") for n in ("params", "y"))
        result, log_slope = textflow.NLSQ.forward(z, theta)
        np.testing.assert_allclose(result, ARRAYS["nlsq/x"], rtol=1e-12, atol=1e-12)
        log_det = -log_slope.sum(axis=1)  # theirs is of the way back
        np.testing.assert_allclose(log_det, ARRAYS["nlsq/logdet"], rtol=1e-9)
        np.testing.assert_allclose(textflow.NLSQ.inverse(result, theta), z, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(ARRAYS["nlsq/y_back"], z, atol=1e-6)


def test_their_affine_map_is_the_inverse_of_ours():
    """eps = (z - a) / b with b = exp(o_1 / 2)."""
    with jax.enable_x64(True):
        theta = jnp.asarray(ARRAYS["affine/params"], "float64") * jnp.array([1.0, 0.5])
        z = jnp.asarray(ARRAYS["nlsq/y"], "float64")
        result = scalars.Affine().inverse(z, theta)
        np.testing.assert_allclose(result, ARRAYS["affine/x"], rtol=1e-12)
        np.testing.assert_allclose(theta[..., 1].sum(axis=1), ARRAYS["affine/logdet"], rtol=1e-12)


def moved(name):
    """A layer of the file at work: log p(z), what it is made of, its gradient, the way back."""
    context = ARRAYS[f"{name}/cond"].shape[1]
    with jax.enable_x64(True):
        weights = textflow.Weights(f"{name}/w/", "float64")
        result = textflow.layer(name[:-1], weights, "", name.endswith("1"), context)
        parts, values = zip(*result, strict=True)
        chain, rng = Chain(parts), jax.random.key(0)
        named = zip(chain.named(), values, strict=True)
        params = {place: value for (place, _), value in named}
        z, known = (jnp.asarray(ARRAYS[f"{name}/{n}"], "float64") for n in ("y", "cond"))

        def log_p(z):
            state = jnp.concatenate([known, z], axis=1)
            state, nats = chain.forward(params, rng, state)
            eps = state[:, context:]
            nats += laws.NORMAL.log_prob(jnp.zeros(2), eps).sum(axis=1)
            return nats.sum(), (eps, nats, chain.inverse(params, rng, state)[:, context:])

        grad, (eps, nats, back) = jax.jit(jax.grad(log_p, has_aux=True))(z)
    return {"x": eps, "log_p": nats, "grad": grad, "back": back}


@pytest.mark.few(2)
@pytest.mark.parametrize("name", quick(["scf0", "scf1", "af0", "af1"], "scf1", "af1"))
def test_layers_in_a_step_are_theirs_and_the_gradient_is_the_true_one_where_theirs_is_not(name):
    """Their split coupling copies what passes without its gradient: there -x is missing.

    That is the gradient of log N(x) by the identity. It reaches the encoder, so their IAF/SCF and
    AF/SCF were trained without it. Their masked layers are right.
    """
    result = moved(name)
    theirs = {key.removeprefix(f"{name}/"): value for key, value in ARRAYS.items()}
    for key in ("x", "log_p"):
        np.testing.assert_allclose(result[key], theirs[key], rtol=1e-9)
    np.testing.assert_allclose(result["back"], theirs["y"], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(theirs["y_back"], theirs["y"], atol=1e-5)
    grad, shipped = np.asarray(result["grad"]), theirs["grad_y_as_shipped"]
    np.testing.assert_allclose(grad, theirs["grad_y_true"], rtol=1e-5, atol=1e-5)  # differences
    passes = np.zeros(4, bool)
    if name.startswith("scf"):
        passes = theirs["order"] <= 2
        assert abs(shipped - grad)[:, passes].max() > 1
    missing = np.where(passes, -np.asarray(result["x"]), 0.0)
    np.testing.assert_allclose(shipped + missing, grad, rtol=1e-9, atol=1e-10)


def measured(name, precision):
    """The elbo, its parts and z of every row at its own length: our rows are not padded.

    A row of theirs that is shorter than the longest ends in padding, which their LSTMs skip.
    """
    length, (_, rows, draws, _) = ARRAYS[f"{name}/lengths"], ARRAYS[f"{name}/eps"].shape
    with jax.enable_x64(precision == "float64"):

        @functools.partial(jax.jit, compiler_options=zoo.HASTE)
        def run(x, eps):
            model, params = textflow.latent_flow(name, precision, eps)
            (place, lift), (then, prior) = model.chain.named()
            rng = jax.random.fold_in(jax.random.key(0), 0)
            z, log_p, log_q = lift.draw(params[place], rng, x)
            noise, nats = prior.forward(params[then], rng, z)
            log_prior = nats + model.base.log_prob({}, noise)
            elbo = model.elbo(params, jax.random.key(0), x)
            return {"z": z, "recon": -log_p, "log_q_z": log_q,
                    "log_p_z": log_prior, "kl": log_q - log_prior, "elbo": elbo}  # fmt: skip

        return [
            run(
                jnp.tile(ARRAYS[f"{name}/x"][: length[b], b], (draws, 1)),
                jnp.asarray(np.moveaxis(ARRAYS[f"{name}/eps"][: length[b], b], 1, 0), precision),
            )
            for b in range(rows)
        ]


CASES = [f"{name} {precision}" for name in ("afaf", "afscf", "iafscf") for precision in PRECISIONS]


@pytest.mark.few(2)
@pytest.mark.parametrize("case", quick(CASES, "afaf float64"))
def test_bounds_and_their_parts_are_theirs(case):
    name, precision = case.split()
    tolerance, rows = PRECISIONS[precision], measured(name, precision)
    for b, result in enumerate(rows):
        live = ARRAYS[f"{name}/lengths"][b]
        assert result["z"].dtype == precision
        z = np.moveaxis(ARRAYS[f"{name}/z"][:live, b], 1, 0)
        np.testing.assert_allclose(result["z"], z, **tolerance)
        for key in ("recon", "log_q_z", "log_p_z", "kl"):  # theirs are of each position
            expected = ARRAYS[f"{name}/{key}"][:live, b].sum(axis=0)
            np.testing.assert_allclose(result[key], expected, **tolerance)
    elbo = np.stack([result["elbo"] for result in rows])
    np.testing.assert_allclose(elbo, ARRAYS[f"{name}/elbo"], **tolerance)
    iwbo = np.logaddexp.reduce(elbo, axis=1) - np.log(elbo.shape[1])
    np.testing.assert_allclose(iwbo, ARRAYS[f"{name}/iwbo"], **tolerance)


def test_places_are_theirs():
    """Theirs repeat the last place past the end."""
    for b, length in enumerate(ARRAYS["afaf/lengths"]):
        result = latent.ends(jnp.arange(length), length, textflow.LONGEST)
        np.testing.assert_array_equal(result, ARRAYS["afaf/pos_cond"][:length, b])
