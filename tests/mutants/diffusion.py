"""Wrong changes of `amd_jax.diffusion`."""

from tests.mutants.mutant import Mutant

SCHEDULES, MIXTURES = "diffusion/schedules.py", "diffusion/kernels/mixtures.py"
KERNELS = "diffusion/kernels/test_kernels.py"
MUTANTS = [
    Mutant(
        "cosine-offset",
        SCHEDULES,
        "OFFSET = 0.008",
        "OFFSET = 0.08",
        "the offset of Nichol and Dhariwal is 0.008",
        "diffusion/test_schedules.py",
    ),
    Mutant(
        "cosine-sine-not-squared",
        SCHEDULES,
        "2 * jnp.sin(delta / 2) ** 2 +",
        "2 * jnp.sin(delta / 2) +",
        "1 - cos δ is 2 sin²(δ/2)",
        "diffusion/test_schedules.py",
    ),
    Mutant(
        "reference-cosine-not-rooted",
        SCHEDULES,
        "log_step = 0.5 * np.log(",
        "log_step = np.log(",
        "the authors' code takes the square root of each step's α",
        "diffusion/test_schedules.py",
    ),
    Mutant(
        "schedule-end-not-floored",
        SCHEDULES,
        "jnp.log(jnp.maximum(1 - u, jnp.exp(LOG_ALPHA_END)))",
        "jnp.log(1 - u)",
        "log α_1 is -inf, and gradients are NaN",
        "diffusion/test_schedules.py",
    ),
    Mutant(
        "table-floor-not-nearest",
        SCHEDULES,
        "nearest = jnp.round(jnp.clip(t, 0, 1) * end)",
        "nearest = jnp.floor(jnp.clip(t, 0, 1) * end)",
        "times in float32 fall below their grid point",
        "diffusion/test_schedules.py",
    ),
    Mutant(
        "schedule-may-rise",
        SCHEDULES,
        "if not finite or table[0] != 0 or np.any(np.diff(table) > 0):",
        "if not finite or table[0] != 0:",
        "a schedule that rises is none",
        "diffusion/test_schedules.py",
    ),
    Mutant(
        "keep-turned-around",
        MIXTURES,
        "categorical.expand(self.schedule(t) - self.schedule(s), ndim)",
        "categorical.expand(self.schedule(s) - self.schedule(t), ndim)",
        "a token is kept with α_t / α_s",
        KERNELS,
    ),
    Mutant(
        "keep-from-the-start",
        MIXTURES,
        "self.level(t)[0] - self.level(s)[0], ndim)",
        "self.level(t)[0], ndim)",
        "between s and t only what happens after s counts",
        KERNELS,
    ),
    Mutant(
        "noise-of-the-past",
        MIXTURES,
        "n_t - self.keep(s, t, n_t.ndim) * n_s)",
        "n_t - n_s)",
        "noise at s is kept with α_t / α_s, too",
        KERNELS,
    ),
    Mutant(
        "push-without-noise",
        MIXTURES,
        "self.keep(s, t, p.ndim) * p + self.noise(s, t, p.ndim)",
        "self.keep(s, t, p.ndim) * p",
        "a law sums to one",
        KERNELS,
    ),
    Mutant(
        "likelihood-of-the-own-token",
        MIXTURES,
        "* own + self.into(x_t, s, t)[..., None]",
        "* own + self.into(x_t, s, t)[..., None] * (1 - own)",
        "a token may be redrawn into itself",
        KERNELS,
    ),
    Mutant(
        "uniform-counts-one-less",
        MIXTURES,
        "jnp.full(num_classes, 1 / num_classes), num_classes)",
        "jnp.full(num_classes, 1 / (num_classes - 1)), num_classes)",
        "a prior sums to one",
        KERNELS,
    ),
]
