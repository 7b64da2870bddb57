"""Types that a checker infers for users of the package: `mypy .ci/typed.py`."""

from typing import assert_type

import jax

import amd_jax
from amd_jax import models, networks
from amd_jax.diffusion import kernels, schedules
from amd_jax.facts import Facts

run, params = amd_jax.load_run("runs/quickstart")
assert_type(run, amd_jax.Run)
assert_type(run.facts, Facts)

model, weights, facts = amd_jax.pretrained.load("wiki_text")
assert_type(facts, Facts)

kernel = kernels.uniform(schedules.cosine, 27)
assert_type(kernel, kernels.Mixing)
diffusion = models.Diffusion(kernel, networks.Hollow(27), steps=10)
assert_type(diffusion.sample(params, jax.random.key(0), (4, 256)), jax.Array)
assert_type(amd_jax.check_backend(), None)
