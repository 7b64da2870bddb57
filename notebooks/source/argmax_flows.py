# %% [markdown]
# # Argmax flows in pictures
#
# %BADGE%
#
# A normalising flow is a density of real vectors. Classes are not real vectors, but the index of
# the largest of $K$ numbers is a class. An argmax flow learns a density of such vectors, and the
# argmax turns them into classes. Training needs the opposite direction: from a class to a vector
# with that argmax.
#
# This notebook shows the idea and the paper's four constructions for the opposite direction. Then
# it fits one flow to eight Gaussians, and another one to text. The paper is
# [Hoogeboom et al., 2021](https://arxiv.org/abs/2102.05379), section 3; the library is
# [amd_jax](%REPOSITORY%).

# %% [markdown]
# The next cell holds all settings. With 1500 steps the flow on eight Gaussians comes within 0.05
# bits of their entropy; with 1000 steps and 256 features the text flow reaches 1.68 bits per
# character.

# %% tags=["parameters"]
SEED = 0
POINTS = 600  # points in each drawing
TOY_STEPS = 800  # training steps on eight Gaussians
TOY_SAMPLES = 20_000
TEXT_STEPS = 600  # training steps on text
TEXT_BATCH = 16  # texts per step; rounded up to a multiple of the number of devices
TEXT_FEATURES = 128  # features of the LSTM
EVALUATED = 24  # test texts for bits per character
DRAWS = 64  # importance samples for each text
WORKDIR = "runs/argmax_flows"  # folder of the runs; the same settings continue them

# %% [markdown]
# ## A class is a region
#
# Let $v \in \mathbb{R}^K$ have the density $p(v)$, and let $x = \arg\max_k v_k$. Each class has a
# region of the space, and its probability is the probability of that region (section 3):
#
# $$P(x) = \int P(x \mid v)\, p(v)\, dv, \qquad P(x \mid v) = 1 \text{ if } x = \arg\max_k v_k,
# \text{ else } 0.$$
#
# With two classes the regions are the two sides of a diagonal. With three they are sectors; they
# are shown along the direction $(1, 1, 1)$, since a shift in this direction does not change the
# argmax. The points are drawn from normal distributions. The mean of the distribution determines
# the probabilities of the classes, which are in the legend.

# %%
import numpy as np

from amd_jax import plotting

rng = np.random.default_rng(SEED)
panels = {
    "K = 2": rng.normal([0.4, -0.4], 1.2, (POINTS, 2)),
    "K = 3": rng.normal([0.9, 0.0, -0.5], 1.2, (POINTS, 3)),
}
plotting.argmax_regions(panels, names="abc")

# %% [markdown]
# ## From a class to a vector
#
# For a flow, the integral over a region has no closed form. So a second distribution
# $q(v \mid x)$, whose support is the region of $x$, proposes vectors, and gives a lower bound
# (section 3):
#
# $$\log P(x) \;\ge\; \mathbb{E}_{v \sim q(v \mid x)}\big[\log p(v) - \log q(v \mid x)\big].$$
#
# The bound is tight if $q(v \mid x)$ is $p(v)$ restricted to the region. There are several ways to
# construct a $q$ that is zero outside the region:
#
# **Softplus thresholding.** Draw $u$ without constraints. Keep $v_x = u_x$ as the threshold $T$,
# and move all other coordinates below it: $v_k = T - \mathrm{softplus}(T - u_k)$. The softplus is
# a smooth bijection onto the positive numbers, so $\log q(v \mid x) = \log q(u \mid x) -
# \sum_{k \ne x} \log \sigma(T - u_k)$.
#
# **Gumbel.** If the $v_k$ are independent $\mathrm{Gumbel}(\phi_k)$ variables, their maximum is
# $\mathrm{Gumbel}(\log \sum_k e^{\phi_k})$, and independent of which one is the largest. So draw
# the maximum first, then the others from Gumbels truncated at it.
#
# **Gumbel thresholding.** As before, but the inverse distribution functions are applied to
# $\sigma(a)$, where $a$ has any learned distribution. This is more flexible than Gumbels with one
# parameter for each class.
#
# Each panel shows draws of $v$ for the class b: all of them are in its region. In the first panel
# the grey points are $u$, and lines show where some of them are moved.

# %%
import jax
import jax.numpy as jnp

from amd_jax.transforms import argmax, laws


class Constant:
    """Parameters of a distribution that are the same for all x; in practice, a network."""

    def __init__(self, *numbers):
        """The F numbers."""
        self.numbers = jnp.array(numbers)

    def init(self, rng, x, *, train):
        """No parameters to learn."""
        return {}

    def apply(self, variables, x, **kwargs):
        """x (B, ...) -> (B, ..., F)."""
        return jnp.broadcast_to(self.numbers, (*x.shape, len(self.numbers)))


def normal(*numbers):
    """q(u | x) on R^3; the numbers are a mean and a log scale for each coordinate."""
    return laws.Conditional(laws.NORMAL, Constant(*numbers), event=(3,))


free = normal(0.6, 0.0, 0.0, 0.0, -0.6, 0.0)
transforms = {
    "softplus thresholding": argmax.Argmax(free),
    "Gumbel": argmax.GumbelArgmax(3, Constant(0.6, 0.0, -0.6)),
    "Gumbel thresholding": argmax.GumbelThreshold(normal(-1.5, -0.7, 0.5, -0.2, 1.0, -0.7)),
}
x, key = jnp.full(POINTS, 1), jax.random.key(SEED)  # the class b
vectors = {title: transform.forward({}, key, x)[0] for title, transform in transforms.items()}
u, _ = free.sample_and_log_prob({}, key, x)
plotting.argmax_regions(vectors, names="abc", before={"softplus thresholding": u})

# %% [markdown]
# The Gumbel construction can be checked exactly. Let the density of the flow be independent
# $\mathrm{Gumbel}(\phi_k)$. Restricted to a region, it is exactly the distribution that the Gumbel
# construction draws from. So the bound is tight, and each single draw of it is
# $\log P(x) = \log \mathrm{softmax}(\phi)_x$.

# %%
from amd_jax.models import Flow

phi = jnp.array([0.6, 0.0, -0.6])
base = laws.Fixed(laws.GUMBEL, jnp.stack([phi, jnp.zeros(3)], axis=-1))
flow = Flow((transforms["Gumbel"],), base)
for k, name in enumerate("abc"):
    bound = flow.elbo({}, key, jnp.full(1000, k))
    exact = jax.nn.log_softmax(phi)[k]
    print(f"{name}: {bound.min():.5f} to {bound.max():.5f} in 1000 draws; exact: {exact:.5f}")

# %% [markdown]
# **Binary variables.** With $K = 2$ one number is enough; its sign is the class, and
# $v = \pm\,\mathrm{softplus}(u)$.
#
# **Digits.** For many classes, $K$ numbers per token are too many. A class can be written in base
# $M$ with $\lceil \log_M K \rceil$ digits, each an argmax of its own (section 3, Cartesian
# products). In base 2, 27 characters take 5 numbers. The drawback: some codes belong to no class.
# With $K = 3$ that is one of four quadrants.

# %%
binary = argmax.BinaryArgmax(laws.Conditional(laws.NORMAL, Constant(0.5, 0.0)))
classes = jnp.arange(POINTS) % 3
bits, _ = argmax.Digits(num_classes=3, base=2).forward({}, None, classes)  # (B, 2)
v, _ = binary.forward({}, key, bits)
plotting.digit_regions(v, classes, names="abc")

# %% [markdown]
# **Dequantisation**, the older method, maps class $k$ to the interval $[k/K, (k+1)/K)$ of the
# line. With uniform noise the flow has to model a density with jumps, and it treats the classes as
# if they were ordered.

# %%
from amd_jax.transforms import dequantize

bits = jnp.arange(20 * POINTS)[:, None] % 2
classes = jnp.asarray(rng.choice(3, (20 * POINTS, 1), p=[0.6, 0.3, 0.1]))
signs, _ = binary.forward({}, key, bits)
levels, _ = dequantize.Uniform(num_classes=3).forward({}, key, classes)
panels = {
    "binary argmax": {f"bit {k}": signs[bits == k] for k in range(2)},
    "uniform dequantisation": {"abc"[k]: levels[classes == k] for k in range(3)},
}
plotting.histograms(panels, x_label="$v$")

# %% [markdown]
# ## Eight Gaussians
#
# The paper's first toy example: points around a circle, each coordinate rounded to one of 91
# cells. So a point is two tokens with $K = 91$ classes. The flow writes each token as seven bits,
# maps them to real numbers, and has one autoregressive layer and a learned normal base. It has no
# information that cell 45 is next to cell 46; it has to learn the shape from data.

# %%
from amd_jax import Experiment
from amd_jax.experiments import eight_gaussians

toy = Experiment.open(eight_gaussians)
config = toy.config()
num_devices = jax.device_count()
batch_size = -(-config.batch_size // num_devices) * num_devices
config.update(seed=SEED, num_steps=TOY_STEPS, batch_size=batch_size)
run, params = toy.fit(f"{WORKDIR}/eight_gaussians", config)

# %% [markdown]
# The probability of each cell is estimated with 16 importance samples; cells are shaded by the
# square root. Blocks with straight edges are places where the flow still depends on the first bits
# of a coordinate.

# %%
from amd_jax.evaluation.reports import point_report

k = run.facts.num_classes
cells = np.indices((k, k)).reshape(2, -1).T  # every pair of tokens
truth = np.exp(run.data.log_prob(cells)).reshape(k, k)
density = point_report.density(run.model, params, k)
draw = jax.jit(run.model.sample, static_argnums=2)
drawn = np.asarray(draw(params, jax.random.key(SEED), (TOY_SAMPLES, 2)))

test = np.asarray(run.data.rows("test"), int)
bits = -np.log2(density[test[:, 0], test[:, 1]]).mean() / 2
entropy = run.facts.statistics["entropy_bits"]
print(f"bits per coordinate of test points: flow {bits:.3f}, entropy of the data {entropy:.3f}")
print(f"the flow's P(x) sums to {density.sum():.3f} over all cells")
print(f"samples that belong to no class: {(drawn < 0).any(axis=1).mean():.1%}")
plotting.heat_maps(
    {"data": truth, "P(x) of the flow": density, "samples": point_report.counts(drawn, k)},
    x_label="second token",
    y_label="first token",
    maximum=truth.max(),
    first_row_below=True,
)

# %% [markdown]
# ## Text, and a tighter bound
#
# The same construction for text: 256 characters from $K = 27$ classes, each as five bits, and an
# LSTM that reads the vectors before each position. One draw from $q$ gives the bound above.
# Several draws give a tighter one, since the weights $p(v)/q(v \mid x)$ are unbiased estimates of
# $P(x)$ (Burda et al., 2016):
#
# $$\log P(x) \;\ge\; \mathbb{E}\Big[\log \frac1k \sum_{j=1}^k \frac{p(v^{(j)})}{q(v^{(j)} \mid x)}
# \Big], \qquad v^{(j)} \sim q(v \mid x).$$

# %%
from amd_jax.experiments import argmax_quickstart

experiment = Experiment.open(argmax_quickstart)
config = experiment.config()
config.update(
    seed=SEED, num_steps=TEXT_STEPS, batch_size=-(-TEXT_BATCH // num_devices) * num_devices
)
config.network.features = TEXT_FEATURES
run, params = experiment.fit(f"{WORKDIR}/text", config)

# %% [markdown]
# All points of the next figure are bounds for the same texts. The bar at each point is the
# standard error of its *gain* over one draw. The gain is small: $q$ is close to the best one.

# %%
from amd_jax.evaluation import count_models, means

texts = jnp.asarray(run.data.rows("test")[:EVALUATED], jnp.int32)
log_weight = jax.jit(run.model.log_weight)
keys = jax.random.split(key, DRAWS)
log_weights = np.array([log_weight(params, rng, texts) for rng in keys], float)  # (DRAWS, texts)

draws, gains, bounds = [2**i for i in range(DRAWS.bit_length()) if DRAWS % 2**i == 0], [], []
for k in draws:
    groups = log_weights.reshape(-1, k, len(texts))
    nats = (np.logaddexp.reduce(groups, axis=1) - np.log(k)).mean(axis=0)
    bounds.append(-nats / np.log(2) / texts.shape[1])
    gains.append(means.of(bounds[0] - bounds[-1]))
bits, errors = np.mean(bounds, axis=1), [error for _, error in gains]

order_3, _ = count_models.bits_per_char(run.data.stream("train"), np.asarray(texts), 27, order=3)
print(f"{len(texts)} test texts: {bits[0]:.3f} bits/char with 1 draw, {bits[-1]:.3f} with {DRAWS}")
print(f"counts of order 3: {order_3:.3f} bits/char")
plotting.curves(
    {"": (draws, bits, errors)}, x_label="draws k", y_label="bits per character", log2_x=True
)

# %% [markdown]
# Sampling needs no $q$: draw from the base distribution, invert the layers, take the signs.
# `redraws` replaces samples that contain a code of no class.

# %%
from amd_jax.models import Inverse

sample = jax.jit(run.model.sample, static_argnums=(2, 3))
shape = (3, *run.facts.event_shape)
drawn = sample(params, jax.random.key(SEED), shape, Inverse(redraws=10))
plotting.text_table(run.facts, {f"sample {i + 1}": x for i, x in enumerate(drawn)})

# %% [markdown]
# ## Next steps
#
# - `python -m experiments.table4` compares the four constructions and both kinds of dequantisation
#   on maps, with equal training time, as in table 4 of the paper.
# - `change_one_thing.ipynb`: an experiment of your own.
# - `amd_jax.pretrained.load("wiki_argmax")`: an argmax flow that was trained for hours.
