"""Against numbers of the authors' released code: its axis of classes is 1, its t counts from 0."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.learning import objectives
from amd_jax.ops import categorical
from tests import zoo
from tests.variants import quick

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


class Golden:
    """One file, and the same situation in our terms, computed in float32 or float64."""

    def __init__(self, name, precision):
        with np.load(GOLDEN / f"{name}.npz") as file:
            self.arrays = dict(file)
        self.precision = precision
        self.num_classes = self.arrays["logits"].shape[1]
        self.steps = len(self.arrays["alphas"])
        self.kernel = kernels.uniform(schedules.reference_cosine(self.steps), self.num_classes)
        self.i = self.arrays["t"] + 1
        self.s, self.t = (jnp.asarray(i / self.steps) for i in (self.i - 1, self.i))
        self.x_0, self.x_t = (jnp.asarray(self.arrays[name]) for name in ("x0", "xt"))
        self.clean = categorical.one_hot(self.x_0, self.num_classes, dtype=self.t.dtype)
        self.p_0 = jax.nn.softmax(jnp.moveaxis(jnp.asarray(self.arrays["logits"]), 1, -1))
        self.model = models.Diffusion(self.kernel, zoo.Table(self.num_classes), self.steps)

    def __getitem__(self, name):
        return self.arrays[f"{self.precision}_{name}"]

    def assert_near(self, result, expected, atol=1e-12):
        """rtol 1e-8 in float64, 1e-4 in float32."""
        assert result.dtype == {"f64": np.float64, "f32": np.float32}[self.precision]
        rtol, atol = (1e-8, atol) if self.precision == "f64" else (1e-4, max(atol, 2e-6))
        np.testing.assert_allclose(result, expected, rtol=rtol, atol=atol)

    def assert_probabilities(self, result, name):
        self.assert_near(np.moveaxis(np.asarray(result), -1, 1), np.exp(self[name]))


@pytest.fixture(params=["f64", "f32"])
def golden(request, name):
    with jax.enable_x64(request.param == "f64"):
        yield Golden(name, request.param)


pytestmark = pytest.mark.parametrize(
    "name", quick(["diffusion_K5_T100", "diffusion_K27_T1000"], "diffusion_K5_T100")
)


@pytest.mark.few(1)
def test_forward(golden):
    start = jnp.zeros_like(golden.t)
    golden.assert_probabilities(golden.kernel.push(golden.clean, start, golden.t), "q_pred")
    result = golden.kernel.likelihood(golden.x_t, golden.s, golden.t)
    golden.assert_probabilities(result, "q_pred_one_timestep")


@pytest.mark.few(1)
def test_posteriors(golden):
    true = kernels.posterior(golden.kernel, golden.clean, golden.x_t, golden.s, golden.t)
    golden.assert_probabilities(true, "q_posterior_true")
    model = kernels.posterior(golden.kernel, golden.p_0, golden.x_t, golden.s, golden.t)
    golden.assert_probabilities(model, "q_posterior_model")
    golden.assert_probabilities(model, "p_pred")


@pytest.mark.few(1, slow=4)
@pytest.mark.parametrize("form", [bounds.discrete, bounds.discrete.dispatch(object)])
def test_losses(golden, form):
    terms = form(golden.kernel, golden.x_0, golden.p_0, golden.x_t, golden.s, golden.t)
    first = golden.i == 1
    assert first.any()
    expected = np.where(
        first[:, None], golden["compute_Lt_perpos_nll"], golden["compute_Lt_perpos_kl"]
    )
    if golden.precision == "f64" or form is bounds.discrete:  # the general form rounds small KLs
        golden.assert_near(terms, expected, atol=1e-9)
    golden.assert_near(categorical.sum_event(terms), golden["compute_Lt"], atol=1e-8)


@pytest.mark.few(1)
def test_prior_kl(golden):
    """A sum of terms a million times larger, in float32."""
    rtol, atol = (1e-8, 1e-13) if golden.precision == "f64" else (0, 4e-6)
    expected = golden.arrays["f64_kl_prior"]
    np.testing.assert_allclose(
        bounds.prior_kl(golden.kernel, golden.x_0), expected, rtol=rtol, atol=atol
    )


@pytest.mark.few(1)
def test_importance_sampling(golden):
    objective = objectives.ImportanceSampledElbo(golden.model)
    history = jnp.asarray(golden.arrays["Lt_history"])
    memory = {"square": history, "count": jnp.full_like(history, 11)}
    golden.assert_near(objective.probabilities(memory), golden.arrays["pt_importance"])
    cold = memory | {"count": memory["count"].at[3].set(10)}  # 11 is the first count that is warm
    golden.assert_near(objective.probabilities(cold), np.full(golden.steps, 1 / golden.steps))

    square = golden.arrays["f64_compute_Lt"] ** 2
    seen = jnp.zeros_like(history).at[golden.i - 1]
    after = objective.update(memory, {"square": seen.add(square), "count": seen.add(1.0)})
    golden.assert_near(after["square"], golden.arrays["Lt_history_after"])
