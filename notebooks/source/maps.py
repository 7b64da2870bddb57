# %% [markdown]
# # Diffusion on segmentation maps
#
# %BADGE%
#
# A segmentation map gives each pixel a category: sky, road, vehicle. Categories have no order, so
# the usual noise for images, which changes a grey value a little, makes no sense for them.
# Multinomial diffusion replaces the category of a pixel by a random one, and learns to undo this.
#
# The maps here are street scenes drawn from a seed, so nothing is downloaded. They have the size,
# the eight categories and the colours of the Cityscapes experiment in
# [Hoogeboom et al., 2021](https://arxiv.org/abs/2102.05379), section 5.2. You train a model on
# them, measure it, watch a street appear out of noise, and repair damaged maps. The library is
# [amd_jax](%REPOSITORY%).

# %% [markdown]
# The next cell holds all settings. With 500 steps the model reaches 0.233 ± 0.002 bits per pixel.

# %% tags=["parameters"]
SEED = 0
STEPS = 240  # training steps
BATCH = 4  # maps per step; rounded up to a multiple of the number of devices
HEIGHT, WIDTH = 32, 64  # pixels
EVALUATED = 40  # test maps for bits per pixel and repairs
SAMPLES = 8  # maps to generate
FILMED = 4  # maps in the film
FRAMES = 21  # frames of the film
ERROR_RATE = 0.05  # share of pixels that are replaced before the model repairs them
WORKDIR = "runs/maps"  # folder of the run; the same settings continue it

# %% [markdown]
# ## The data
#
# Each map is a street as seen by a driver: buildings and trees on both sides; cars, people and
# poles that get smaller with the distance.

# %%
import jax
import numpy as np

from amd_jax import Experiment, plotting
from amd_jax.experiments import maps_quickstart

experiment = Experiment.open(maps_quickstart)
config = experiment.config()
num_devices = jax.device_count()
config.update(seed=SEED, num_steps=STEPS, batch_size=-(-BATCH // num_devices) * num_devices)
config.update(evaluate_every=max(1, STEPS // 3), evaluate_texts=EVALUATED)
config.data.update(height=HEIGHT, width=WIDTH)
data = experiment.open_data(config)
facts = data.facts
plotting.map_grid(facts, {"test maps": data.rows("test")[:8]}, legend=True)

# %% [markdown]
# ## Training
#
# The forward process is the same as for text, for each pixel separately: keep the category with
# probability $\bar\alpha_t$, otherwise draw one of $K = 8$ uniformly (section 4, eq. 12),
#
# $$q(x_t \mid x_0) = \mathrm{Cat}\big(x_t \mid \bar\alpha_t\, x_0 + (1 - \bar\alpha_t)/K\big).$$
#
# The network is different. `HollowMap` predicts each pixel from all others: one tower reads the
# pixels before it in reading order, another one the pixels after it. It cannot see the pixel
# itself, so it can be trained with the plain cross-entropy of the clean map, at random times.

# %%
run, params = experiment.fit(WORKDIR, config)
plotting.training_curve(WORKDIR)

# %% [markdown]
# ## Evaluation: bits per pixel
#
# The bound on $-\log p(x_0)$ is the same as for text, here divided by the number of pixels. One
# baseline counts how often each category occurs; the other one counts how often it occurs next to
# the categories of its left and upper neighbours.

# %%
import math

from amd_jax.evaluation import count_models
from amd_jax.evaluation.reports import run_report

test, train, k = data.rows("test")[:EVALUATED], data.rows("train"), facts.num_classes
estimate, line = run_report.bits(run.model, params, data, split="test", number=EVALUATED)
print(line)

results = {
    "uniform": (math.log2(k), 0.0),
    "counts": count_models.bits_per_char(train.ravel(), test.reshape(len(test), -1), k, 0),
    "counts, left and upper neighbour": count_models.bits_of_maps(train, test, k).mean(),
    "this diffusion model (upper bound)": (estimate.bits, estimate.error),
}
label = "bits per pixel of test maps (lower is better)"
plotting.bars(results, label=label, highlight=["this diffusion model (upper bound)"])

# %% [markdown]
# ## Samples
#
# How similar are samples to real maps? One measure needs no model: how often category $a$ is left
# of category $b$, or above it. The distance between two sets of maps is the total variation
# distance between these frequencies, from 0 to 1. Two small sets of real maps differ too; that
# distance is printed for comparison.

# %%
from amd_jax.evaluation import pictures

sample = jax.jit(run.model.sample, static_argnums=2)
drawn = np.asarray(sample(params, jax.random.key(SEED), (SAMPLES, *facts.event_shape)))
for name, maps in {"samples": drawn, "training maps": train[:SAMPLES]}.items():
    distance = pictures.neighbour_distance(maps, data.rows("test"), k)
    print(f"{SAMPLES} {name}: distance {distance:.3f} to the test maps")
plotting.map_grid(facts, {"samples": drawn})

# %% [markdown]
# ## From noise to a street
#
# `model.walk` yields states of one denoising chain, from time 1 (noise) to time 0. Large regions
# appear first: sky, road, and the walls at both sides. Edges and small objects come last.

# %%
shape = (FILMED, *facts.event_shape)
states = list(run.model.walk(params, jax.random.key(SEED + 1), shape, FRAMES))
plotting.map_film(facts, states, f"{WORKDIR}/chain.gif")

# %%
plotting.map_chain(facts, states, number=8)

# %% [markdown]
# ## Repairing damaged maps
#
# A damaged map looks like a map at an early time of the noise process. Each pixel becomes the
# category with the highest posterior probability, given all other pixels and the category that it
# has:
#
# $$\hat x[n] = \arg\max_k \; \mu_\theta(x_t, t)[n, k] \cdot q(x_t[n] \mid x_0[n] = k).$$

# %%
from amd_jax.evaluation import correction
from amd_jax.models.corrections import Correct

trial = correction.trial(Correct(ERROR_RATE), run.model, params, test, facts, SEED)
print(f"{trial.errors} of {test[0].size} pixels replaced in each of {len(test)} maps:\n{trial}")
panels = {"damaged": trial.damaged[:4], "repaired": trial.restored[:4], "original": test[:4]}
plotting.map_grid(facts, panels)

# %% [markdown]
# ## Next steps
#
# - Your own maps, as a folder of PNG files: `experiments/own_maps.py`, or in Python
#   `amd_jax.data.maps.load("my_maps/")` in place of the data above.
# - `amd_jax.pretrained.load("streets")` and `load("land_cover")`: models that were trained longer
#   and come with the package.
# - `change_one_thing.ipynb`: other kernels, schedules and networks.
