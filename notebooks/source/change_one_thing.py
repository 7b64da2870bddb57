# %% [markdown]
# # Change one thing
#
# An experiment of this library is three functions: `get_config` gives numbers, `data` what is
# learnt from, `build` composes model, objective and optimiser. To try an idea you change a line
# of one of them. This notebook does so four times, with your own text if you have one, and
# compares what comes out. Then it stops a run in the middle, and continues it.
#
# It helps to have seen `quickstart.ipynb`. The method is that of
# [Hoogeboom et al., 2021](https://arxiv.org/abs/2102.05379), section 4.
#
# [Open this notebook in Colab](%COLAB%) · [the library](%REPOSITORY%)

# %% [markdown]
# All numbers of this notebook are in the next cell. The runs are short, so that five of them fit
# into some minutes: enough to see a difference, not enough to judge one.

# %% tags=["parameters"]
SEED = 0
TEXT_PATH = ""  # a text file of yours, 20 times LENGTH or longer; empty: upload, or embedded text
LENGTH = 128  # characters in a row
STEPS = 300  # of training, of each run
BATCH = 8  # texts per step; rounded up to a multiple of the devices
EVALUATED = 60  # texts that bits are measured on
STOPPED_STEPS = 60  # of the run that is stopped at two thirds
SENTENCE = "the exsmple shiws how a funvtion is cslled with twi arguments"  # typed in a hurry
GAPS = "the f_______ is called with two ar_______"  # a _ for every unknown character
WORKDIR = "runs/change_one_thing"  # the runs are kept here; the same numbers continue them

# %%
import dataclasses
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import amd_jax
from amd_jax import networks
from amd_jax.data import stdlib_docs, text
from amd_jax.diffusion import kernels, schedules
from amd_jax.evaluation import correction, gallery
from amd_jax.evaluation.reports import run_report
from amd_jax.experiment import Experiment, Parts, numbers
from amd_jax.learning import objectives, optimizers
from amd_jax.models import Diffusion
from amd_jax.models.corrections import Correct
from amd_jax.ops.categorical import one_hot

plt.rcParams.update({"figure.dpi": 90, "axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## Your text
#
# In Colab this cell asks for a file; cancel to go on with the embedded text, Python's own help.
# Elsewhere `TEXT_PATH` says which file it is. The alphabet is read off the text: every character
# that occurs in it is a class.


# %%
def chosen_file():
    """The path of a text file, or None for the embedded text."""
    if TEXT_PATH:
        return TEXT_PATH
    try:
        from google.colab import files
    except ImportError:
        return None
    return next(iter(files.upload()), None)


path = chosen_file()
rows = stdlib_docs.load(LENGTH) if path is None else text.load(path, LENGTH)
print(rows.facts.summary({split: len(rows.rows(split)) for split in rows.splits}))

# %% [markdown]
# ## The experiment
#
# These are the three functions. `build` is left open in two places, which is all that the next
# cells change: the **kernel**, how noise comes in, and the **denoiser**, the network that guesses
# the clean text. Posterior, bound and sampler are derived from the kernel, so nothing else has to
# follow.


# %%
def get_config():
    """Numbers only."""
    devices = jax.device_count()
    config = numbers(
        seed=SEED,
        num_steps=STEPS,
        batch_size=-(-BATCH // devices) * devices,
        clip=1.0,
        log_every=50,
    )
    config.timesteps = 100  # T
    config.network = dict(width=64, blocks=2, join_width=96)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=min(50, STEPS))
    return config


def data(config):
    """What is learnt from."""
    return rows


def with_parts(kernel, denoiser):
    """The experiment with this kernel and this denoiser, each made from the facts of the data."""

    def build(config, facts):
        model = Diffusion(kernel(facts), denoiser(config, facts), steps=config.timesteps)
        objective = objectives.CrossEntropy(model, warp=objectives.mostly_early)
        optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
        return Parts(model, objective, optimizer)

    return Experiment(get_config, data, build)


def uniform(facts):
    """Noise that is uniform over the classes, by the cosine schedule."""
    return kernels.uniform(schedules.cosine, facts.num_classes)


def hollow(config, facts):
    """A network that reads both sides of a position, and not the character there."""
    return networks.Hollow(
        facts.num_classes, log_frequencies=facts.log_frequencies, **config.network
    )


runs, results = {}, {}


def train(name, experiment):
    """Trains an experiment in a folder of its own, and measures bits on test texts."""
    run, params = experiment.fit(f"{WORKDIR}/{name.replace(' ', '_')}", experiment.config())
    found, line = run_report.bits(run.model, params, rows, split="test", number=EVALUATED)
    print(line)
    runs[name], results[name] = (run, params), found


train("as it is", with_parts(uniform, hollow))

# %% [markdown]
# ## Another schedule
#
# A schedule is a function from time in $[0, 1]$ to $\log \bar\alpha_t$, the log-probability that a
# character is untouched: 0 at time 0, never rising, and about $-30$ at time 1, where nothing may
# be left. This one is quadratic, $\log\bar\alpha_t = -30\,t^2$. It spends its time on texts that
# are hardly readable any more, where there is little to learn.


# %%
def quadratic(t):
    """Log of the share of untouched characters at times t."""
    return -30.0 * t**2


t = np.linspace(0, 1, 201)
figure, axes = plt.subplots(figsize=(6.5, 3))
for name, schedule in {
    "cosine": schedules.cosine,
    "linear": schedules.linear,
    "polynomial(2)": schedules.polynomial(2.0),
    "quadratic, ours": quadratic,
}.items():
    axes.plot(t, np.exp(schedule(jnp.asarray(t))), label=name, lw=3 if "ours" in name else 1.5)
axes.set(xlabel="time t", ylabel="share untouched", title="Schedules")
axes.legend(frameon=False)
figure.tight_layout()

# %%
train(
    "own schedule",
    with_parts(lambda facts: kernels.uniform(quadratic, facts.num_classes), hollow),
)

# %% [markdown]
# ## Another kernel
#
# Who types in a hurry hits the key next to the right one. Let noise do the same: tokens walk on
# the keyboard, at a rate of 1 to each neighbouring key, and rarely to any other. With the rates
# as a matrix $R$ the law of a walk is a matrix exponential,
#
# $$q(x_t \mid x_s) = \exp\big((\tau_t - \tau_s) R\big)_{x_s x_t}, \qquad \tau_t = 30\, t^2.$$
#
# A kernel says two things: `push` carries a distribution forward, and `likelihood` gives
# $q(x_t \mid x_s = k)$ for every $k$. As $R$ is symmetric its walk ends in the uniform law, and
# its exponential is one of eigenvalues.

# %%
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "    ")
SHIFTS = (0.0, 0.3, 0.7, 3.0)  # of the rows, in keys


def rates_of(alphabet):
    """Rates (K, K) from key to key, symmetric, with rows that sum to zero."""
    places = [
        (sign, row, column + SHIFTS[row])
        for row, keys in enumerate(KEYS)
        for column, sign in enumerate(keys)
    ]
    rates = np.full((len(alphabet), len(alphabet)), 0.3 / len(alphabet))
    for a, row_a, column_a in places:
        for b, row_b, column_b in places:
            if {a, b} <= {*alphabet} and np.hypot(row_a - row_b, column_a - column_b) < 1.25:
                rates[alphabet.index(a), alphabet.index(b)] = 1.0
    np.fill_diagonal(rates, 0.0)
    return rates - np.diag(rates.sum(axis=1))


@dataclasses.dataclass(frozen=True, eq=False)
class Slips:
    """A walk along symmetric rates, given by their eigenvalues and eigenvectors."""

    eigenvalues: jax.Array  # (K,)
    eigenvectors: jax.Array  # (K, K)
    prior: jax.Array  # (K,), what the walk ends in
    num_classes: int

    def push(self, p, s, t):
        """The law of x_t when x_s has the law p: (B, ..., K) -> (B, ..., K)."""
        return jnp.einsum("b...j,bjk->b...k", p, self.matrix(s, t))

    def likelihood(self, x_t, s, t):
        """q(x_t | x_s = k) for every k: (B, ...) -> (B, ..., K)."""
        return jnp.einsum("b...k,bjk->b...j", one_hot(x_t, self.num_classes), self.matrix(s, t))

    def matrix(self, s, t):
        """The exponential, for times s and t (B,): (B, K, K)."""
        factors = jnp.exp(30.0 * (t**2 - s**2)[:, None] * self.eigenvalues)
        found = jnp.einsum("ik,bk,jk->bij", self.eigenvectors, factors, self.eigenvectors)
        return jnp.maximum(found, 0.0)  # which rounding may miss by 1e-7


def slips(facts):
    """The kernel of an alphabet."""
    values, vectors = np.linalg.eigh(rates_of(facts.alphabet))
    k = facts.num_classes
    return Slips(jnp.float32(values), jnp.float32(vectors), jnp.full(k, 1 / k), k)


kernel = slips(rows.facts)
moments = [0.06, 0.12, 0.25]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4))
for panel, moment in zip(axes, moments, strict=True):
    matrix = kernel.matrix(jnp.zeros(1), jnp.full(1, moment))[0]
    panel.imshow(np.sqrt(matrix), cmap="Blues", vmin=0, vmax=1)
    panel.set(title=f"t = {moment}", xlabel="what is read", ylabel="what was meant")
    signs = [sign if sign != " " else "_" for sign in rows.facts.alphabet]
    if len(signs) <= 32:
        panel.set_xticks(range(len(signs)), signs, size=6)
        panel.set_yticks(range(len(signs)), signs, size=6)
figure.suptitle("Probabilities that one key is read for another (shaded by their square root)")
figure.tight_layout()

# %%
train("own kernel", with_parts(slips, hollow))

# %% [markdown]
# Both models correct the same sentence, typed in a hurry; a mark under a character says that it
# was changed. The walk forgets within a quarter of its time, as the picture shows, so most of its
# training went into texts that nobody could read: an idea is not yet a better model. A slower
# pace $\tau_t$ is the next thing to change.

# %%
tokens = rows.facts.encode(
    stdlib_docs.normalize(SENTENCE) if path is None else SENTENCE,
    unknown=int(np.argmax(rows.facts.frequencies)),
)
for name in ("as it is", "own kernel"):
    run, params = runs[name]
    fixed = correction.edited_text(Correct(error_rate=0.1), run.model, params, tokens, LENGTH)
    marks = "".join(np.where(fixed != tokens, "^", " "))
    print(f"{name}:\n{gallery.wrapped(rows.facts.decode(fixed), marks)}")

# %% [markdown]
# ## Masks
#
# Noise may also hide a character, and not replace it. Then there is one state more, the **mask**,
# and what is no mask is known to be as it was. The kernel is one line again. The network has room
# for one state more, and never guesses a mask.


# %%
def masks(facts):
    """Noise that hides characters, as many in any span of time."""
    return kernels.absorbing(schedules.linear, facts.num_classes)


def hollow_with_masks(config, facts):
    """The same network for one state more."""
    frequencies = (*facts.log_frequencies, 0.0)  # of the mask: any number, it is not guessed
    return networks.Hollow(facts.num_classes + 1, log_frequencies=frequencies, **config.network)


train("masks", with_parts(masks, hollow_with_masks))

# %% [markdown]
# Nothing is corrected here, since nothing is ever wrong. But a text with gaps is now a state on
# the way from noise, and to fill them is the rest of that way. The probability of a filling, given
# what stands around it, is exact and no bound: the product of what the network says of one
# character after the other.

# %%
run, params = runs["masks"]
known = np.array([sign != "_" for sign in GAPS])
given = rows.facts.encode(GAPS, unknown=0)
several = [jnp.tile(part, (4, 1)) for part in (given, known, ~known)]
filled, nats = gallery.infilled(run.model, params, jax.random.key(SEED), *several)
bits = -np.asarray(nats) / np.log(2)
for i in np.argsort(bits):
    text_line = gallery.wrapped(rows.facts.decode(filled[i]), "".join(np.where(known, " ", "^")))
    print(f"{bits[i]:.1f} bits:\n{text_line}")

# %% [markdown]
# ## Another denoiser
#
# A denoiser is any Flax module from noisy tokens and times to logits. This one is a stack of
# convolutions. Unlike `Hollow` it sees the character that it is to predict. Trained on the plain
# cross-entropy it would learn to copy it, so the objective notices and takes the cross-entropy of
# the posterior instead, with the character's own evidence multiplied in.


# %%
class Convolutions(nn.Module):
    """Each position from the 33 around it, itself included: (B, L) -> (B, L, K)."""

    num_classes: int
    width: int = 96

    @nn.compact
    def __call__(self, x_t, t, *, train=False):
        """x_t (B, L) int, t (B,) -> logits (B, L, K)."""
        h = nn.Conv(self.width, (9,))(one_hot(x_t, self.num_classes))
        h = h + nn.Dense(self.width)(t[:, None, None])
        for _ in range(3):
            h = h + nn.Conv(self.width, (9,))(nn.gelu(nn.LayerNorm()(h)))
        return nn.Dense(self.num_classes)(nn.LayerNorm()(h))


train("own denoiser", with_parts(uniform, lambda config, facts: Convolutions(facts.num_classes)))

# %% [markdown]
# All five are bounds on the same $-\log p(x)$, so they can be compared, whatever the noise. The
# bar is the standard error over the test texts.

# %%
figure, axes = plt.subplots(figsize=(6.5, 2.1))
bits = np.array([(found.bits, found.error) for found in results.values()])
axes.barh(list(results), bits[:, 0], xerr=bits[:, 1], color="#2b6cb0", height=0.6, capsize=3)
for i, (value, error) in enumerate(bits):
    axes.text(value + error + 0.03, i, f"{value:.2f}", va="center")
axes.set(xlabel=f"bits per character of test text after {STEPS} steps (less is better)")
axes.set_xlim(0, 1.15 * bits.max())
axes.invert_yaxis()
figure.tight_layout()

# %% [markdown]
# ## A run that is stopped, and goes on
#
# A long run dies sometimes: Colab takes the machine back, the power fails. What is saved every
# `checkpoint_every` steps is enough: batch and noise of a step are functions of the seed and the
# step, so the same call continues as if nothing had happened. Here an error in the middle of an
# evaluation plays the power cut.


# %%
class PowerCut(Exception):
    """The lights are out."""


def failing(params):
    """An evaluation that does not come back."""
    raise PowerCut


experiment = with_parts(uniform, hollow)
config = experiment.config()
config.num_steps = STOPPED_STEPS
config.checkpoint_every = max(1, STOPPED_STEPS // 4)
config.evaluate_every = 2 * STOPPED_STEPS // 3
config.evaluate_texts = min(EVALUATED, 16)
try:
    experiment.fit(f"{WORKDIR}/stopped", config, evaluate=failing)
except PowerCut:
    print(f"\nno power at step {config.evaluate_every} ... and again:\n")
_, continued = experiment.fit(f"{WORKDIR}/stopped", config)
print("\nthe same without a break:\n")
_, unbroken = experiment.fit(f"{WORKDIR}/unbroken", config)

same = jax.tree.map(lambda a, b: bool((np.asarray(a) == b).all()), continued, unbroken)
print(f"\nevery bit of the parameters the same: {all(jax.tree.leaves(same))}")

# %% [markdown]
# ## Reading a run again
#
# `load_run` reads the newest sound checkpoint of a folder. A run of an experiment *file* carries
# that file and needs nothing else; one that was composed in a notebook is given the experiment.
# `model.sample` is a pure function: `jax.jit` with the shape as a static argument compiles it
# once, and from then on it is as fast as the machine allows.

# %%
run, params = amd_jax.load_run(f"{WORKDIR}/as_it_is", experiment=experiment)
sample = jax.jit(run.model.sample, static_argnums=2)
for call in ("first", "second"):
    began = time.perf_counter()
    x = sample(params, jax.random.key(SEED), (4, LENGTH)).block_until_ready()
    print(f"{call} call: {time.perf_counter() - began:.2f} s")
print(f"\nstep {run.step}:\n{gallery.wrapped(run.facts.decode(x[0]))}")

# %% [markdown]
# ## From here
#
# - Put the three functions into a file, and `amd-jax --config=my_experiment.py` trains it from the
#   command line, with every number as a flag.
# - A flow layer, a sampler, a data set of another kind: the Protocols in `amd_jax/types.py` say
#   what each has to offer.
