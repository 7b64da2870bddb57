# %% [markdown]
# # Diffusion on segmentation maps
#
# A segmentation map says of every pixel what is there: sky, road, vehicle. Such categories have no
# order, so noise that suits pictures, which moves a grey value a little, makes no sense for them.
# Multinomial diffusion replaces a pixel's category by a random one, and learns to undo that.
#
# Here the maps are street scenes that are drawn from a seed, so nothing is downloaded. They have
# the size, the eight categories and the colours of the Cityscapes experiment in
# [Hoogeboom et al., 2021](https://arxiv.org/abs/2102.05379), section 5.2. You will train a model
# on them, measure it, watch noise become a street, and repair damaged maps.
#
# [Open this notebook in Colab](%COLAB%) · [the library](%REPOSITORY%)

# %% [markdown]
# All numbers of this notebook are in the next cell. With 500 steps and more patience the model
# reaches 0.233 ± 0.002 bits per pixel.

# %% tags=["parameters"]
SEED = 0
STEPS = 240  # of training
BATCH = 4  # maps per step; rounded up to a multiple of the devices
HEIGHT, WIDTH = 32, 64  # pixels
EVALUATED = 40  # maps that bits and corrections are measured on
SAMPLES = 8  # maps to draw
FILMED = 4  # maps in the film
FRAMES = 21  # pictures of the film
ERROR_RATE = 0.05  # share of the pixels that are replaced in the test of corrections
WORKDIR = "runs/maps"  # the run is kept here; the same numbers continue it

# %%
import base64
import math
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from matplotlib.patches import Patch

from amd_jax import Experiment
from amd_jax.evaluation import correction, means, pictures
from amd_jax.evaluation.reports import run_report
from amd_jax.experiments import maps_quickstart
from amd_jax.models.corrections import Correct

plt.rcParams.update({"figure.dpi": 90, "axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## The data
#
# Each map is a street as a driver sees it: buildings and trees on both sides, cars, people and
# poles that get smaller with the distance.

# %%
experiment = Experiment.open(maps_quickstart)
config = experiment.config()
devices = jax.device_count()
config.update(seed=SEED, num_steps=STEPS, batch_size=-(-BATCH // devices) * devices)
config.update(evaluate_every=max(1, STEPS // 3), evaluate_texts=EVALUATED)
config.data.update(height=HEIGHT, width=WIDTH)
data = experiment.open_data(config)
facts = data.facts
palette = pictures.Palette.of(facts.colours)


def draw(panels, columns=4, legend=False):
    """Maps (N, H, W) in their colours, `columns` side by side, under the title of their panel."""
    tiles = [
        (title if i == 0 else "", x)
        for title, maps in panels.items()
        for i, x in enumerate(pictures.coloured(maps, palette))
    ]
    lines = math.ceil(len(tiles) / columns)
    figure, axes = plt.subplots(
        lines,
        columns,
        figsize=(2.5 * columns, 1.25 * lines + 0.3 * min(lines, len(panels))),
        squeeze=False,
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, (title, pixels) in zip(axes.flat, tiles, strict=False):
        axis.imshow(pixels, interpolation="nearest")
        axis.set_title(title, loc="left", size=10)
    figure.tight_layout(pad=0.4)
    if legend:
        pairs = zip(facts.colours, facts.names, strict=True)
        patches = [Patch(color=colour / 255, label=name) for colour, name in pairs]
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0)}
        figure.legend(handles=patches, ncol=8, frameon=False, columnspacing=1, **place)


draw({"test maps": data.rows("test")[:8]}, legend=True)

# %% [markdown]
# ## Training
#
# The forward process is that of the text notebook, pixel by pixel: keep the category with
# probability $\bar\alpha_t$, else draw one of $K = 8$ anew (section 4, eq. 12),
#
# $$q(x_t \mid x_0) = \mathrm{Cat}\big(x_t \mid \bar\alpha_t\, x_0 + (1 - \bar\alpha_t)/K\big).$$
#
# What changes is the network. `HollowMap` guesses a pixel from all others: one tower reads the
# pixels before it in reading order, another one those after it. As it cannot see the pixel itself,
# it is trained by plain cross-entropy of the clean map, at random times.

# %%
run, params = experiment.fit(WORKDIR, config)

# %% [markdown]
# ## Bits per pixel
#
# The bound of section 4, divided by the number of pixels. Three simpler laws stand beside it: all
# categories alike, the categories' frequencies, and a table that counts which category a pixel has
# given its neighbours to the left and above, two of the things that the diffusion looks at.


# %%
def coded(maps):
    """For every pixel a number of (left, above), and its category: (N H W,) each."""
    padded = np.pad(maps.astype(int), ((0, 0), (1, 0), (1, 0)))
    left, above = padded[:, 1:, :-1], padded[:, :-1, 1:]
    return (left * facts.num_classes + above).ravel(), np.ravel(maps)


test, k = data.rows("test")[:EVALUATED], facts.num_classes
counts = np.ones((k * k, k))  # one of each to begin with, so that nothing is impossible
np.add.at(counts, coded(data.rows("train")), 1)
neighbours = -np.log2((counts / counts.sum(axis=1, keepdims=True))[coded(test)])
neighbours = neighbours.reshape(len(test), -1).mean(axis=1)
frequencies = -np.log2(np.array(facts.frequencies))[test].reshape(len(test), -1).mean(axis=1)

found, line = run_report.bits(run.model, params, data, split="test", number=EVALUATED)
print(line)

results = {
    "all categories alike": (math.log2(k), 0.0),
    "frequencies": means.of(frequencies),
    "counts, given left and above": means.of(neighbours),
    "this diffusion (at most)": (found.bits, found.error),
}
figure, axes = plt.subplots(figsize=(6.5, 2.1))
values = np.array(list(results.values()))
colours = ["#718096"] * 3 + ["#2b6cb0"]
axes.barh(list(results), values[:, 0], xerr=values[:, 1], color=colours, height=0.6, capsize=3)
for i, (bits, error) in enumerate(values):
    axes.text(bits + error + 0.04, i, f"{bits:.2f}", va="center")
axes.set(xlabel="bits per pixel of test maps (less is better)", xlim=(0, 3.3))
axes.invert_yaxis()
figure.tight_layout()

# %% [markdown]
# ## Samples
#
# A measure without a model: how often category $a$ lies left of, or above, category $b$. The
# distance of two sets of maps is the total variation between these tables, from 0 to 1. Real maps
# of another split show what distance there is for lack of numbers alone.

# %%
sample = jax.jit(run.model.sample, static_argnums=2)
drawn = np.asarray(sample(params, jax.random.key(SEED), (SAMPLES, *facts.event_shape)))
draw({"samples": drawn})
sampled, real = (
    pictures.neighbour_distance(maps, data.rows("test"), k)
    for maps in (drawn, data.rows("train")[:SAMPLES])
)
print(
    f"distance of {SAMPLES} samples to the test maps: {sampled:.3f}; of training maps: {real:.3f}"
)

# %% [markdown]
# ## Noise becomes a street
#
# `model.walk` gives states of the way from time 1, noise, to time 0. Large regions are decided
# first, sky and road and the walls beside it; edges and small things come last.

# %%
shape = (FILMED, *facts.event_shape)
frames = list(run.model.walk(params, jax.random.key(SEED + 1), shape, FRAMES))
film = Path(WORKDIR) / "chain.gif"
pictures.write_gif([pictures.grid(x, palette, columns=2, side=128) for _, x in frames], film)
encoded = base64.b64encode(film.read_bytes()).decode()
HTML(
    f'<img src="data:image/gif;base64,{encoded}" width="520" style="image-rendering:pixelated" '
    f'alt="A film of {FILMED} maps of pixels at random that become street scenes">'
)

# %%
stills = [frames[i] for i in np.linspace(0, len(frames) - 1, 8).round().astype(int)]
draw({f"t = {t:.2f}": x[:1] for t, x in stills})

# %% [markdown]
# ## Repairing damaged maps
#
# A damaged map is a map early in the noise. At each pixel the most probable category is taken,
# given all other pixels and the category that is there:
#
# $$\hat x[n] = \arg\max_k \; \mu_\theta(x_t, t)[n, k] \cdot q(x_t[n] \mid x_0[n] = k).$$

# %%
trial = correction.trial(Correct(ERROR_RATE), run.model, params, test, k, SEED)
print(f"{trial.errors} of {test[0].size} pixels replaced in each of {len(test)} maps:\n{trial}")
draw({"damaged": trial.damaged[:4], "repaired": trial.restored[:4], "original": test[:4]})

# %% [markdown]
# ## From here
#
# - Your own maps, as a folder of PNGs: `experiments/own_maps.py`, or in Python
#   `amd_jax.data.maps.load("my_maps/")` in the place of the data above.
# - `amd_jax.pretrained.load("streets")` and `load("land_cover")` give models that were trained for
#   longer; they come with the package.
# - `change_one_thing.ipynb`: other kernels, schedules and networks.
