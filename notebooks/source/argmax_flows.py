# %% [markdown]
# # Argmax flows, drawn
#
# A normalising flow is a density on real vectors. Classes are not real vectors; but the index of
# the largest of $K$ numbers is a class. An argmax flow learns a density of such vectors, and lets
# the argmax turn them into classes. What is needed for training is the way back: from a class to a
# vector whose argmax it is.
#
# This notebook draws that idea and the paper's four ways back, fits a flow to eight Gaussians, and
# another one to text. The paper is [Hoogeboom et al., 2021](https://arxiv.org/abs/2102.05379),
# section 3.
#
# [Open this notebook in Colab](%COLAB%) · [the library](%REPOSITORY%)

# %% [markdown]
# All numbers of this notebook are in the next cell. With 1500 steps the eight Gaussians come
# within 0.05 bits of their entropy, and with 1000 steps and 256 features the text flow reaches
# 1.68 bits per character.

# %% tags=["parameters"]
SEED = 0
POINTS = 600  # in each drawing
TOY_STEPS = 800  # of training on eight Gaussians
TOY_SAMPLES = 20_000
TEXT_STEPS = 600  # of training on text
TEXT_BATCH = 16  # texts per step; rounded up to a multiple of the devices
TEXT_FEATURES = 128  # of the LSTM
EVALUATED = 24  # texts that bits are measured on
DRAWS = 64  # importance samples of each of them
WORKDIR = "runs/argmax_flows"  # the runs are kept here; the same numbers continue them

# %%
import dataclasses

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Polygon

from amd_jax import Experiment
from amd_jax.evaluation import count_models, means
from amd_jax.evaluation.reports import point_report
from amd_jax.experiments import argmax_quickstart, eight_gaussians
from amd_jax.models import Flow, Inverse
from amd_jax.transforms import argmax, dequantize, laws

plt.rcParams.update({"figure.dpi": 90, "axes.spines.top": False, "axes.spines.right": False})
COLOURS = ["#2b6cb0", "#dd6b20", "#2f855a", "#a0aec0"]  # of the classes a, b, c; grey for none
LETTERS = "abc"

# %% [markdown]
# ## A class is a region
#
# Let $v \in \mathbb{R}^K$ have a density $p(v)$, and $x = \arg\max_k v_k$. Then every class owns a
# region of the space, and its probability is the mass that lies there (section 3):
#
# $$P(x) = \int P(x \mid v)\, p(v)\, dv, \qquad P(x \mid v) = 1 \text{ if } x = \arg\max_k v_k,
# \text{ else } 0.$$
#
# With two classes the regions are the two sides of a diagonal. With three they are sectors, seen
# here along the direction $(1, 1, 1)$, which has no say in the argmax. The points are drawn from
# a normal law; moving its mean moves the probabilities.

# %%
rng = np.random.default_rng(SEED)
VIEW = np.array([[-1, 1, 0], [-1, -1, 2]]) / np.sqrt([[2], [6]])  # R^3 seen along (1, 1, 1)


def sectors(axes, reach=4.5):
    """Tints the regions of three classes, and marks the axis of each."""
    corners = 3 * reach * (np.eye(3) - 1 / 3) @ VIEW.T
    for k, colour in enumerate(COLOURS[:3]):
        others = -np.delete(corners, k, axis=0)  # the borders are opposite to the other axes
        region = np.array([[0, 0], others[0], corners[k], others[1]])
        axes.add_patch(Polygon(region, color=colour, alpha=0.13, lw=0))
        tip = 0.8 * reach * corners[k] / np.linalg.norm(corners[k])
        axes.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "->", "color": colour})
        axes.text(*(1.09 * tip), LETTERS[k], color=colour, ha="center", va="center", size=13)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set(xlabel="across (1, 1, 1)", ylabel="across (1, 1, 1)", xticks=[], yticks=[])


def scatter(axes, points, k, **more):
    """Points of a class in its colour."""
    axes.scatter(*points.T, s=5, color=COLOURS[k], alpha=0.6, lw=0, **more)


figure, axes = plt.subplots(1, 2, figsize=(9, 4.2))
v = rng.normal([0.4, -0.4], 1.2, (POINTS, 2))
reach = 4.5
for k, corner in enumerate([(reach, -reach), (-reach, reach)]):
    region = [(-reach, -reach), (reach, reach), corner]
    axes[0].add_patch(Polygon(region, color=COLOURS[k], alpha=0.13, lw=0))
    inside = v.argmax(axis=1) == k
    scatter(axes[0], v[inside], k, label=f"{LETTERS[k]}: {inside.mean():.0%}")
axes[0].set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title="K = 2")
axes[0].set(xlabel="$v_a$", ylabel="$v_b$")

v = rng.normal([0.9, 0.0, -0.5], 1.2, (POINTS, 3))
sectors(axes[1])
for k in range(3):
    inside = v.argmax(axis=1) == k
    scatter(axes[1], v[inside] @ VIEW.T, k, label=f"{LETTERS[k]}: {inside.mean():.0%}")
axes[1].set(title="K = 3, seen along (1, 1, 1)")
for panel in axes:
    panel.legend(frameon=False, loc="upper left", markerscale=2)
figure.tight_layout()

# %% [markdown]
# ## The way back, and a bound
#
# The integral over a region has no closed form for a flow. So a second law $q(v \mid x)$, which
# lives on the region of $x$ *by construction*, proposes vectors, and weighs them (section 3):
#
# $$\log P(x) \;\ge\; \mathbb{E}_{v \sim q(v \mid x)}\big[\log p(v) - \log q(v \mid x)\big].$$
#
# The bound is tight if $q(v \mid x)$ is $p(v)$ cut to the region. Outside the region $q$ must be
# zero, or the argmax would give back another class: that is what the four constructions are for.
#
# **Softplus thresholding.** Draw $u$ freely, keep $v_x = u_x$ as the ceiling $T$, and press all
# others under it: $v_k = T - \mathrm{softplus}(T - u_k)$. The softplus is a smooth
# bijection onto the positive numbers, so $\log q(v \mid x) = \log q(u \mid x) - \sum_{k \ne x}
# \log \sigma(T - u_k)$.
#
# **Gumbel.** If the $v_k$ are independent $\mathrm{Gumbel}(\phi_k)$, their maximum is
# $\mathrm{Gumbel}(\log \sum_k e^{\phi_k})$, whichever it is. So draw the maximum, and the others
# from Gumbels that are cut at it.
#
# **Gumbel thresholding.** The same inverse distribution functions, fed with $\sigma(a)$ where $a$
# is drawn from any learnt law on the line: more freedom than two numbers per class.
#
# Each panel has draws of $v$ for the class b, and all of them are in its sector. In the first
# panel the grey points are the free $u$, and the lines show where some of them are pressed to.


# %%
@dataclasses.dataclass(frozen=True)
class Same:
    """Reads x, and gives the same numbers whatever it is; in earnest this is a network."""

    numbers: tuple[float, ...]

    def init(self, rng, x, *, train):
        """No parameters."""
        return {}

    def apply(self, variables, x, **more):
        """The numbers, for every token of x (B, ...): (B, ..., F)."""
        return jnp.broadcast_to(jnp.array(self.numbers), (*x.shape, len(self.numbers)))


def law(family, *numbers):
    """q(u | x) on R^3: location and log scale of each of three coordinates."""
    return laws.Conditional(family, Same(numbers), event=(3,))


theta = (0.6, 0.0, 0.0, 0.0, -0.6, 0.0)
LIFTS = {
    "softplus thresholding": argmax.Argmax(law(laws.NORMAL, *theta)),
    "Gumbel": argmax.GumbelArgmax(3, Same((0.6, 0.0, -0.6))),
    "Gumbel thresholding": argmax.GumbelThreshold(
        law(laws.NORMAL, -1.5, -0.7, 0.5, -0.2, 1.0, -0.7)
    ),
}
x = jnp.full(POINTS, LETTERS.index("b"))
u, _ = law(laws.NORMAL, *theta).sample_and_log_prob({}, jax.random.key(SEED), x)
figure, axes = plt.subplots(1, 3, figsize=(11, 4))
for panel, (title, lift) in zip(axes, LIFTS.items(), strict=True):
    z, minus_log_q = lift.forward({}, jax.random.key(SEED), x)
    assert (lift.inverse({}, None, z) == x).all()  # whatever was drawn, its argmax is b
    sectors(panel)
    if lift is LIFTS["softplus thresholding"]:
        free, pressed = u @ VIEW.T, z @ VIEW.T
        panel.scatter(*free.T, s=4, color="#718096", alpha=0.35, lw=0)
        for start, end in zip(free[:25], pressed[:25], strict=True):
            panel.plot(*zip(start, end, strict=True), color="#4a5568", lw=0.6, alpha=0.6)
    scatter(panel, np.asarray(z @ VIEW.T), 1)
    panel.set_title(title)
figure.tight_layout()

# %% [markdown]
# One thing can be checked without statistics. Let the flow's own density be independent
# $\mathrm{Gumbel}(\phi_k)$. Cut to a region it is what the Gumbel construction draws from, so the
# bound is tight: every single draw of it is $\log P(x) = \log \mathrm{softmax}(\phi)_x$.

# %%
phi = jnp.array([0.6, 0.0, -0.6])
flow = Flow(
    (argmax.GumbelArgmax(3, Same(tuple(phi.tolist()))),),
    laws.Fixed(laws.GUMBEL, jnp.stack([phi, jnp.zeros(3)], axis=-1)),
)
for k, letter in enumerate(LETTERS):
    bound = flow.elbo({}, jax.random.key(SEED), jnp.full(1000, k))
    print(
        f"{letter}: 1000 draws of the bound from {bound.min():.5f} to {bound.max():.5f} nats; "
        f"log softmax = {jax.nn.log_softmax(phi)[k]:.5f}"
    )

# %% [markdown]
# **Binary, and products of digits.** With $K = 2$ one number is enough: its sign. Then
# $v = \pm\,\mathrm{softplus}(u)$. For many classes $K$ numbers per token are too many, so a class
# is written in base $M$ with $\lceil \log_M K \rceil$ digits, and each digit is an argmax of its
# own (section 3, Cartesian products). Base 2 turns 27 characters into 5 numbers. Its price is
# codes that stand for no class: with $K = 3$ one of four quadrants.
#
# **Dequantisation**, the older way, puts class $k$ on the interval $[k/K, (k+1)/K)$ of the line.
# With uniform noise the flow has to model flat boxes with sharp edges, and it pretends that
# classes have an order.

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6))
binary = argmax.BinaryArgmax(laws.Conditional(laws.NORMAL, Same((0.5, 0.0))))
bins = np.linspace(-4, 4, 61)
for bit in (0, 1):
    z, _ = binary.forward({}, jax.random.key(SEED + bit), jnp.full((20 * POINTS, 1), bit))
    axes[0].hist(
        np.ravel(z), bins, density=True, color=COLOURS[bit], alpha=0.7, label=f"bit {bit}"
    )
axes[0].axvline(0, color="black", lw=0.8)
axes[0].set(title="binary: the sign", xlabel="$v$", ylabel="density of $q(v \\mid x)$")

digits = argmax.Digits(num_classes=3, base=2)
for code in range(4):
    high, low = divmod(code, 2)
    corner = (4.5 * (2 * high - 1), 4.5 * (2 * low - 1))
    square = [(0, 0), (corner[0], 0), corner, (0, corner[1])]
    hatch = "///" if code == 3 else None
    axes[1].add_patch(Polygon(square, facecolor=COLOURS[code], alpha=0.2, lw=0, hatch=hatch))
    name = LETTERS[code] if code < 3 else "no class"
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 2} if code == 3 else None
    place = (0.75 * corner[0], 0.82 * corner[1])
    axes[1].text(*place, name, ha="center", va="center", size=12, bbox=ground)
for k in range(3):
    codes, _ = digits.forward({}, None, jnp.full(POINTS // 3, k))  # (B, 2) bits
    z, _ = binary.forward({}, jax.random.key(SEED + k), codes)
    scatter(axes[1], np.asarray(z), k)
axes[1].set(
    title="digits: K = 3 as two bits", xlabel="$v_1$ (first bit)", ylabel="$v_2$ (second bit)"
)
axes[1].set(xlim=(-4.5, 4.5), ylim=(-4.5, 4.5), aspect="equal")

uniform = dequantize.Uniform(num_classes=3)
bins = np.linspace(0, 1, 31)
for k, share in enumerate((0.6, 0.3, 0.1)):
    z, _ = uniform.forward({}, jax.random.key(SEED + k), jnp.full((20 * POINTS, 1), k))
    weights = np.full(z.size, share / z.size / np.diff(bins)[0])
    axes[2].hist(np.ravel(z), bins, weights=weights, color=COLOURS[k], alpha=0.7, label=LETTERS[k])
axes[2].set(title="beside it: uniform dequantisation", xlabel="$v$", ylabel="density of $v$")
for panel in axes[[0, 2]]:
    panel.legend(frameon=False)
figure.tight_layout()

# %% [markdown]
# ## Eight Gaussians
#
# The paper's first toy: points around a circle, each coordinate rounded to one of 91 cells, so a
# point is two tokens with $K = 91$. The flow writes each token as seven bits, lifts them, and puts
# one autoregressive layer and a learnt normal law behind. It is not told that cell 45 lies beside
# cell 46: to the flow they are names. That the picture comes out round is learnt; the blocks with
# straight edges are where it still thinks in the first bits of a coordinate.

# %%
toy = Experiment.open(eight_gaussians)
config = toy.config()
devices = jax.device_count()
config.update(
    seed=SEED, num_steps=TOY_STEPS, batch_size=-(-config.batch_size // devices) * devices
)
run, params = toy.fit(f"{WORKDIR}/eight_gaussians", config)

# %%
cells = run.facts.num_classes
density = point_report.density(run.model, params, cells)  # P(x) of every cell, 16 draws of q each
draw = jax.jit(run.model.sample, static_argnums=2)
drawn = np.asarray(draw(params, jax.random.key(SEED), (TOY_SAMPLES, 2)))
outside = (drawn < 0).any(axis=1).mean()
every = np.indices((cells, cells)).reshape(2, -1).T
law = np.exp(run.data.log_prob(every)).reshape(cells, cells)

figure, axes = plt.subplots(1, 3, figsize=(11, 3.9), sharey=True)
panels = {
    "the data's law": law,
    f"the flow's P(x), in all {density.sum():.3f}": density,
    f"samples, {outside:.1%} of no class": point_report.counts(drawn, cells),
}
for panel, (title, mass) in zip(axes, panels.items(), strict=True):
    panel.imshow(np.sqrt(mass), cmap="Blues", origin="lower", vmin=0, vmax=np.sqrt(law.max()))
    panel.set(title=title, xlabel="second token (column)")
axes[0].set_ylabel("first token (row)")
figure.tight_layout()

law_bits = run.facts.statistics["entropy_bits"]
test = np.asarray(run.data.rows("test"), int)
flow_bits = -np.log2(density[test[:, 0], test[:, 1]]).mean() / 2
print(
    f"bits per coordinate of test points: flow {flow_bits:.3f}, entropy of the law {law_bits:.3f}"
)

# %% [markdown]
# ## Text, and a tighter bound
#
# The same construction on text: 256 characters of $K = 27$ classes, each as five bits, and an LSTM
# that reads the vectors before a position. One draw of $q$ gives the bound above. Several draws
# give a better one, since the weights $p(v)/q(v \mid x)$ are unbiased for $P(x)$ (Burda et al.,
# 2016):
#
# $$\log P(x) \;\ge\; \mathbb{E}\Big[\log \frac1k \sum_{j=1}^k \frac{p(v^{(j)})}{q(v^{(j)} \mid x)}
# \Big], \qquad v^{(j)} \sim q(v \mid x).$$

# %%
experiment = Experiment.open(argmax_quickstart)
config = experiment.config()
config.update(seed=SEED, num_steps=TEXT_STEPS, batch_size=-(-TEXT_BATCH // devices) * devices)
config.network.features = TEXT_FEATURES
run, params = experiment.fit(f"{WORKDIR}/text", config)

# %%
texts = jnp.asarray(run.data.rows("test")[:EVALUATED], jnp.int32)
keys = jax.random.split(jax.random.key(SEED), DRAWS)
log_weight = jax.jit(lambda params, key: run.model.log_weight(params, key, texts))
weights = np.stack([log_weight(params, key) for key in keys]).astype(np.float64)  # (DRAWS, texts)


def bound_of(weights, k):
    """The bound from k draws, in bits per character, averaged over all groups of k: (texts,)."""
    groups = weights.reshape(-1, k, weights.shape[1])
    nats = np.logaddexp.reduce(groups, axis=1) - np.log(k)
    return -nats.mean(axis=0) / np.log(2) / texts.shape[1]


ks = [2**i for i in range(DRAWS.bit_length()) if DRAWS % 2**i == 0]
bits = np.array([bound_of(weights, k) for k in ks])  # (number of ks, texts)
gain = bits[0] - bits
error = [means.of(each)[1] for each in gain]  # by blocks of neighbouring texts

figure, axes = plt.subplots(figsize=(6.5, 3))
axes.errorbar(ks, bits.mean(axis=1), yerr=error, color=COLOURS[0], marker="o", ms=4, capsize=3)
axes.set_xscale("log", base=2)
axes.set_xticks(ks, [str(k) for k in ks])
axes.set(
    xlabel="draws k", ylabel="bits per character", title="The bound of the same texts, tightened"
)
figure.tight_layout()

order_3, _ = count_models.bits_per_char(run.data.stream("train"), texts, run.facts.num_classes, 3)
print(f"{len(texts)} test texts: {bits[0].mean():.3f} bits/char with one draw, ", end="")
print(f"{bits[-1].mean():.3f} with {ks[-1]}; a count model of order 3 has {order_3:.3f}")

# %% [markdown]
# The bar is the standard error of the *gain* over one draw: all points are of the same texts. A
# gain of a few hundredths says that $q$ is near to what it should be.
#
# Samples come by the argmax, which costs nothing: draw from the base, invert the layers, read off
# signs. `redraws` draws again what holds a code of no class.

# %%
sample = jax.jit(run.model.sample, static_argnums=(2, 3))
shape = (3, *run.facts.event_shape)
for i, x in enumerate(
    np.asarray(sample(params, jax.random.key(SEED), shape, Inverse(redraws=10)))
):
    text = run.facts.decode(x)
    print(
        f"sample {i + 1}:", *(f"    {text[j : j + 64]}" for j in range(0, len(text), 64)), sep="\n"
    )

# %% [markdown]
# ## From here
#
# - `python -m experiments.table4` compares the four lifts and both dequantisations on maps,
#   trained for equal time, as table 4 of the paper does.
# - `change_one_thing.ipynb`: an experiment of your own.
# - `amd_jax.pretrained.load("wiki_argmax")` gives an argmax flow that was trained for hours.
