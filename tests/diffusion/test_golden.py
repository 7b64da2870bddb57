"""Against numbers of the authors' released code: its axis of classes is 1, its t counts from 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.learning import objectives
from amd_jax.ops import categorical
from tests import golden_files, zoo
from tests.variants import quick

GENERAL = bounds.discrete.dispatch(object)


class Golden:
    """One file, and the same situation in our terms, computed in float32 or float64."""

    def __init__(self, name, precision):
        self.arrays = golden_files.load(name)
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


@pytest.fixture(params=["f64", "f32"])
def golden(request, name):
    with jax.enable_x64(request.param == "f64"):
        yield Golden(name, request.param)


pytestmark = pytest.mark.parametrize(
    "name", quick(["diffusion_K5_T100", "diffusion_K27_T1000"], "diffusion_K5_T100")
)


@pytest.mark.few(1)
def test_laws_and_terms_of_the_bound(golden):
    kernel, x_0, p_0 = golden.kernel, golden.x_0, golden.p_0
    given, forms = (golden.x_t, golden.s, golden.t), (bounds.discrete, GENERAL)

    @jax.jit
    def computed():
        return (
            kernel.push(golden.clean, jnp.zeros_like(golden.t), golden.t),
            kernel.likelihood(*given),
            kernels.posterior(kernel, golden.clean, *given),
            kernels.posterior(kernel, p_0, *given),
            bounds.prior_kl(kernel, x_0),
            [form(kernel, x_0, p_0, *given) for form in forms],
        )

    *laws, prior_kl, terms = computed()
    names = ("q_pred", "q_pred_one_timestep", "q_posterior_true", "q_posterior_model", "p_pred")
    for law, name in zip([*laws, laws[-1]], names, strict=True):
        golden.assert_near(np.moveaxis(np.asarray(law), -1, 1), np.exp(golden[name]))
    # A sum of terms a million times larger, in float32.
    rtol, atol = (1e-8, 1e-13) if golden.precision == "f64" else (0, 4e-6)
    np.testing.assert_allclose(prior_kl, golden.arrays["f64_kl_prior"], rtol=rtol, atol=atol)
    first = golden.i == 1
    assert first.any()
    expected = np.where(
        first[:, None], golden["compute_Lt_perpos_nll"], golden["compute_Lt_perpos_kl"]
    )
    for form, result in zip(forms, terms, strict=True):
        if golden.precision == "f64" or form is bounds.discrete:  # general: small KLs are rounded
            golden.assert_near(result, expected, atol=1e-9)
        golden.assert_near(categorical.sum_event(result), golden["compute_Lt"], atol=1e-8)


@pytest.mark.few(1)
def test_importance_sampling(golden):
    objective = objectives.ImportanceSampledElbo(golden.model)
    history, seen = jnp.asarray(golden.arrays["Lt_history"]), golden.i - 1
    memory = {"square": history, "count": jnp.full_like(history, 11)}
    cold = memory | {"count": memory["count"].at[3].set(10)}  # 11 is the first count that is warm
    square, count = np.zeros((2, golden.steps), golden.t.dtype)
    square[seen], count[seen] = golden.arrays["f64_compute_Lt"] ** 2, 1.0

    @jax.jit
    def computed():
        after = objective.update(memory, {"square": jnp.asarray(square), "count": count})
        return *map(objective.probabilities, (memory, cold)), after["square"]

    warm, even, after = computed()
    golden.assert_near(warm, golden.arrays["pt_importance"])
    golden.assert_near(even, np.full(golden.steps, 1 / golden.steps))
    golden.assert_near(after, golden.arrays["Lt_history_after"])
