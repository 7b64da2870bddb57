"""Draws the pictures of the pages on how it works: `python docs/pictures/make.py [NAME ...]`.

Each is computed by the library itself, or by enumeration, and written as a small SVG beside this
file, with the same bytes every time. Needs matplotlib.
"""

import itertools
import pathlib
import sys

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

from amd_jax import models, networks
from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.ops import gumbel
from amd_jax.transforms import argmax, laws

matplotlib.use("svg")
from matplotlib import pyplot as plt  # noqa: E402

HERE = pathlib.Path(__file__).parent
BLUE, ORANGE, GREEN, GREY = "#3f51b5", "#e07b00", "#2e7d32", "#9e9e9e"
SHADES = (BLUE, ORANGE, GREEN, "#8e24aa", GREY)
plt.rcParams.update(
    {
        **{"svg.fonttype": "none", "svg.hashsalt": "amd_jax", "font.size": 11},
        **{"font.family": "sans-serif", "axes.spines.top": False, "axes.spines.right": False},
        **{"axes.prop_cycle": plt.cycler(color=SHADES), "legend.frameon": False},
    }
)


def panels(number: int, width: float = 3.4, height: float = 2.7, **more):
    """A figure with panels side by side."""
    figure, axes = plt.subplots(
        1, number, figsize=(width * number, height), layout="constrained", squeeze=False, **more
    )
    return figure, list(axes[0])


def forward():
    """The law of one token over time, uniform noise and masks."""
    figure, axes = panels(2, sharey=True)
    t = jnp.linspace(0, 1, 41)
    start = jnp.zeros_like(t)
    found = {"uniform noise": kernels.uniform, "masking": kernels.absorbing}
    for axis, (title, make) in zip(axes, found.items(), strict=True):
        kernel = make(schedules.cosine, 4)
        one = jnp.broadcast_to(jnp.eye(len(kernel.prior))[2], (len(t), 1, len(kernel.prior)))
        law = np.asarray(kernel.push(one, start, t))[:, 0]
        order = [2, 0, 1, 3, *range(4, law.shape[1])]
        names = [f"class {k}" if k < 4 else "mask" for k in order]
        axis.stackplot(t, law[:, order].T, labels=names, colors=SHADES, alpha=0.85)
        axis.set(title=title, xlabel="time t", xlim=(0, 1), ylim=(0, 1))
    axes[0].set_ylabel("law of x_t")
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def schedule():
    """What the schedules keep."""
    figure, (axis,) = panels(1, 6.4, 3)
    t = jnp.linspace(0, 1, 201)
    lines = {
        "cosine": (schedules.cosine, "-"),
        "linear: 1 - t": (schedules.linear, "-"),
        "polynomial(2): 1 - t²": (schedules.polynomial(2.0), "-"),
        "reference_cosine(1000)": (schedules.reference_cosine(1000), ":"),
    }
    for name, (function, style) in lines.items():
        axis.plot(t, jnp.exp(function(t)), style, label=name, lw=2)
    axis.set(xlabel="time t", ylabel="kept: α_t", xlim=(0, 1), ylim=(0, 1.02))
    axis.legend()
    return figure


def posterior():
    """Bayes' rule for one step, as bars."""
    figure, axes = panels(3, 2.4, 2.4, sharey=True)
    kernel = kernels.uniform(schedules.cosine, 4)
    s, t = jnp.array([0.5]), jnp.array([0.6])
    p_0, x_t = jnp.array([[[0.1, 0.7, 0.1, 0.1]]]), jnp.array([[3]])
    bars = {
        "q(x_t | x_s)": kernel.likelihood(x_t, s, t),
        "q(x_s | guess of x_0)": kernel.push(p_0, 0 * s, s),
        "product, normalised": kernels.posterior(kernel, p_0, x_t, s, t),
    }
    for axis, colour, (title, p) in zip(axes, SHADES, bars.items(), strict=False):
        axis.bar(range(4), np.asarray(p)[0, 0], color=colour)
        axis.set_title(title, fontsize=11)
        axis.set(xlabel="class of x_s", xticks=range(4), ylim=(0, 1))
    return figure


def continuous():
    """T L_i at a fixed guess, and its limit."""
    figure, (axis,) = panels(1, 6.4, 3)
    kernel = kernels.uniform(schedules.cosine, 3)
    x, guess = jnp.array([[0]]), jnp.array([[[0.5, 0.3, 0.2]]])

    def nats(s, t):
        return float(bounds.leave_one_out(kernel, x, guess, jnp.array([s]), jnp.array([t]))[0, 0])

    for steps, colour in ((5, GREY), (20, ORANGE), (100, GREEN)):
        edges = np.arange(steps + 1) / steps
        terms = [steps * nats(s, t) for s, t in itertools.pairwise(edges)]
        axis.stairs(terms, edges, color=colour, label=f"T L_i, T = {steps}", lw=1.5)
    t = jnp.linspace(0.002, 0.998, 200)
    wide = [jnp.broadcast_to(a, (len(t), *a.shape[1:])) for a in (x, guess)]
    _, slope = jax.jvp(lambda u: bounds.divergence(kernel, *wide, u), (t,), (jnp.ones_like(t),))
    axis.plot(t, -slope[:, 0], color=BLUE, lw=1.5, label="continuous time")
    axis.set(xlabel="time t", ylabel="nats per unit of time", xlim=(0, 1), ylim=(0, None))
    axis.legend()
    return figure


def two_verbs():
    """The total probability by weights, and by exponentials of the elbo."""
    figure, (axis,) = panels(1, 6.4, 3)
    kernel = kernels.uniform(schedules.cosine, 3)
    network = networks.Hollow(3, width=8, blocks=1, join_width=8)
    model = models.Diffusion(kernel, network, steps=5)
    every = jnp.array(list(itertools.product(range(3), repeat=2)))
    params = model.init(jax.random.key(0), every)
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    shaken = [a + 0.2 * jax.random.normal(k, a.shape) for a, k in zip(leaves, keys, strict=True)]
    params = jax.tree.unflatten(tree, shaken)
    draws = jax.random.split(jax.random.key(2), 20_000)

    def one_elbo(key):
        """One step for each row, drawn alone: rows of one batch would share theirs."""
        keys = jax.random.split(key, len(every))
        return jax.vmap(lambda k, x: model.elbo(params, k, x[None])[0])(keys, every)

    found = {
        "exp(log_weight)": lambda key: model.log_weight(params, key, every),
        "exp(elbo), single draws": one_elbo,
    }
    for name, draw in found.items():
        totals = jnp.exp(jax.lax.map(draw, draws, batch_size=500)).sum(axis=1)
        mean = np.cumsum(np.asarray(totals, np.float64)) / np.arange(1, len(draws) + 1)
        print(f"two_verbs: {name}: {mean[-1]:.4f}")
        place = np.unique(np.geomspace(5, len(mean), 150).astype(int)) - 1
        axis.semilogx(place + 1, mean[place], label=name)
    axis.axhline(1, color=GREY, lw=1, ls="--")
    axis.set(xlabel="draws", ylabel="total probability", ylim=(0, None))
    axis.legend()
    return figure


def plugged():
    """What ancestral sampling comes to with the leave-one-out law, and with the denoiser's."""
    joint = np.array([[6, 1, 1], [1, 6, 1], [1, 1, 6]], float) * [[1.2], [1], [0.8]]
    joint /= joint.sum()
    kernel = kernels.uniform(schedules.cosine, 3)
    every = np.array(list(itertools.product(range(3), repeat=2)))

    def matrix(s, t):
        eye = jnp.eye(3)[None]
        return np.asarray(kernel.push(eye, jnp.array([s]), jnp.array([t]))[0], np.float64)

    def guesses(t, own):
        """r, or with the own token d, of both tokens at every state: (9, 2, 3)."""
        q, found = matrix(0.0, t), np.zeros((9, 2, 3))
        for row, (a, b) in enumerate(every):
            first, second = joint @ q[:, b], joint.T @ q[:, a]
            found[row] = (first * q[:, a], second * q[:, b]) if own else (first, second)
        return found / found.sum(axis=-1, keepdims=True)

    def distance(steps, own):
        law = np.full(9, 1 / 9)
        for i in range(steps, 0, -1):
            s, t = (i - 1) / steps, i / steps
            q_t, guess = matrix(s, t), guesses(t, own)
            reverse = (guess @ matrix(0.0, s)) * q_t.T[every]  # (9, 2, 3)
            reverse /= np.maximum(reverse.sum(axis=-1, keepdims=True), 1e-300)
            step = reverse[:, 0, every[:, 0]] * reverse[:, 1, every[:, 1]]
            law = law @ step
        return np.abs(law - joint.ravel()).sum() / 2

    figure, (axis,) = panels(1, 6.4, 3)
    steps = [2, 4, 8, 16, 32, 64, 128, 256]
    for own, name in ((False, "the leave-one-out law r"), (True, "the denoiser's law d")):
        values = [distance(n, own) for n in steps]
        print(f"plugged: {name}: {dict(zip(steps, np.round(values, 4), strict=True))}")
        axis.loglog(steps, values, "o-", label=name, ms=4)
    axis.set(xlabel="steps T", ylabel="total variation")
    axis.set_xticks(steps, map(str, steps))
    axis.minorticks_off()
    axis.legend()
    return figure


def hollow():
    """Which tokens an output of Hollow depends on."""
    figure, (axis,) = panels(1, 6.4, 2.4)
    for k in range(7):
        colour = "white" if k == 3 else BLUE if k < 3 else GREEN
        axis.add_patch(plt.Rectangle((k - 0.35, 0), 0.7, 0.7, fc=colour, ec="black", alpha=0.8))
        axis.text(k, 0.35, f"x_t[{k}]", ha="center", va="center", fontsize=10)
    arrow = dict(arrowstyle="-|>", lw=1.6)
    for k in (0, 1, 2):
        axis.annotate("", (2.85, 2.0), (k, 0.75), arrowprops=arrow | {"color": BLUE})
    for k in (4, 5, 6):
        axis.annotate("", (3.15, 2.0), (k, 0.75), arrowprops=arrow | {"color": GREEN})
    axis.text(0.3, 1.55, "one tower: before", color=BLUE, ha="center")
    axis.text(5.7, 1.55, "the other: after", color=GREEN, ha="center")
    axis.text(3, 2.2, "r[3] = p(x_0[3] | all but x_t[3])", ha="center")
    axis.set(xlim=(-0.9, 6.9), ylim=(-0.1, 2.6))
    axis.axis("off")
    return figure


class Drawn:
    """A stand-in for an encoder: independent draws, the same for every class."""

    def __init__(self, family, event):
        """Of a family at location 0 and log-scale 0."""
        self.family, self.event = family, event

    def sample_and_log_prob(self, params, rng, x, *, train=False):
        """Draws (B, ..., *event), and zeros for their nats, which a picture does not need."""
        theta = jnp.zeros((*x.shape, *self.event, 2))
        return self.family.sample(rng, theta), jnp.zeros(x.shape[0])


class Flat:
    """A stand-in for a network: the same numbers for every input."""

    def apply(self, variables, x, *, train, rngs):
        """φ = (1, 0) for every token."""
        return jnp.broadcast_to(jnp.array([1.0, 0.0]), (*x.shape, 2))


def inverses():
    """Draws of the four inverses for K = 2."""
    figure, axes = plt.subplots(2, 2, figsize=(6.4, 5.6), layout="constrained")
    axes = axes.ravel()
    x = jnp.arange(2).repeat(60)[:, None]
    lifts = {
        "softplus threshold": argmax.Argmax(Drawn(laws.NORMAL, (2,))),
        "Gumbel, φ = (1, 0)": argmax.GumbelArgmax(2, Flat()),
        "Gumbel threshold": argmax.GumbelThreshold(Drawn(laws.NORMAL, (2,))),
        "binary": argmax.BinaryArgmax(Drawn(laws.NORMAL, ())),
    }
    for axis, (title, lift) in zip(axes, lifts.items(), strict=True):
        z = np.asarray(lift.forward({}, jax.random.key(3), x)[0])[:, 0].round(3)
        if title == "binary":
            spread = np.random.default_rng(0).uniform(-1, 1, len(z)).round(3)
            z = np.stack([z, spread], axis=1)
            axis.axvline(0, color=GREY, lw=1)
            axis.set(yticks=[], xlabel="z", xlim=(-3.2, 3.2), ylim=(-2, 2))
        else:
            axis.plot([-4, 5], [-4, 5], color=GREY, lw=1)
            axis.set(xlabel="z_0", ylabel="z_1", xlim=(-4, 5), ylim=(-4, 5))
        for k, colour in ((0, BLUE), (1, ORANGE)):
            chosen = z[np.asarray(x)[:, 0] == k]
            axis.plot(*chosen.T, ".", color=colour, ms=3.5, label=f"x = {k}")
        axis.set_title(title)
    axes[-1].legend(loc="upper center", ncols=2)
    return figure


def threshold():
    """The map that presses a number under a ceiling."""
    figure, (axis,) = panels(1, 6.4, 2.8)
    u = jnp.linspace(-3, 5, 81)
    axis.plot(u, gumbel.threshold(u, jnp.ones(()))[0], lw=2, label="z = T - softplus(T - u)")
    axis.plot([-3, 1.6], [-3, 1.6], color=GREY, ls=":", label="z = u")
    axis.axhline(1, color=ORANGE, ls="--", label="the ceiling, T = 1")
    axis.set(xlabel="u", ylabel="z", xlim=(-3, 5), ylim=(-3.2, 1.6))
    axis.legend(loc="lower right")
    return figure


def dequantisation():
    """Densities of classes on the line."""
    figure, axes = panels(2, sharey=True)
    share, z = np.array([0.15, 0.4, 0.1, 0.35]), np.linspace(0, 1, 401)
    place = np.minimum((z * 4).astype(int), 3)
    u = (z * 4 - place).clip(1e-3, 1 - 1e-3)
    a = np.log(u / (1 - u)) / 0.8
    hill = np.exp(-a * a / 2) / np.sqrt(2 * np.pi) / 0.8 / (u * (1 - u))
    for axis, title, shape in zip(axes, ("uniform", "variational"), (1.0, hill), strict=True):
        density = 4 * share[place] * shape
        for k, colour in enumerate(SHADES[:4]):
            axis.fill_between(z, density, where=place == k, color=colour, alpha=0.75, lw=0)
        axis.set(title=title, xlabel="z", xlim=(0, 1), xticks=[0, 0.25, 0.5, 0.75, 1])
    axes[0].set_ylabel("density")
    return figure


def fewer_steps():
    """Bits on coarser grids, as measured: the page of results has the conditions."""
    figure, axes = panels(2)
    measured = {
        "text, bits/char": ((1000, 250, 100, 50), (2.245, 2.252, 2.264, 2.284)),
        "maps, bits/pixel": ((4000, 400, 100, 25), (0.573, 0.576, 0.584, 0.593)),
    }
    for axis, (title, (steps, bits)) in zip(axes, measured.items(), strict=True):
        axis.plot(steps, bits, "o-", ms=4, lw=1.2)
        axis.set(title=title, xlabel="steps", xscale="log", xticks=steps)
        axis.set_xticklabels(map(str, steps))
        axis.minorticks_off()
    return figure


def schedule_error():
    """1 - α of the cosine in float32, written in two ways."""
    figure, (axis,) = panels(1, 6.4, 3)
    t = np.geomspace(1 / 4000, 1, 300)
    offset = schedules.OFFSET

    def quotient(t, kind):
        t, half = kind(t), kind(np.pi / 2)
        start = np.cos(kind(offset / (1 + offset)) * half)
        return 1 - np.cos((t + kind(offset)) / kind(1 + offset) * half) / start

    with np.errstate(all="ignore"):
        exact = quotient(t, np.longdouble)
        ours = -np.expm1(np.asarray(schedules.cosine(jnp.asarray(t, jnp.float32)), np.float64))
        for name, value in {
            "1 - cos / cos": quotient(t, lambda a: np.asarray(a, np.float32)),
            "as in the library": ours,
        }.items():
            error = np.abs(np.asarray(value, np.float64) / np.asarray(exact, np.float64) - 1)
            print(
                f"schedule_error: {name}: {error[0]:.2g} at the first, {error.max():.2g} at most"
            )
            axis.loglog(t, error.clip(1e-9).round(12), lw=1, label=name)
    axis.set(xlabel="time t", ylabel="relative error of 1 - α", xlim=(t[0], 1))
    axis.legend()
    return figure


PICTURES = {
    **{"forward": forward, "schedules": schedule, "posterior": posterior},
    **{"continuous": continuous, "two_verbs": two_verbs, "plugged": plugged, "hollow": hollow},
    **{"inverses": inverses, "threshold": threshold, "dequantisation": dequantisation},
    **{"fewer_steps": fewer_steps, "schedule_error": schedule_error},
}


def main(names: list[str]) -> None:
    """Draws those that are named, or all."""
    for name in names or PICTURES:
        figure = PICTURES[name]()
        path = HERE / f"{name}.svg"
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
