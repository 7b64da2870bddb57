# %% [markdown]
# # Change one thing
#
# %BADGE%
#
# An experiment in this library is three functions: `get_config` returns numbers, `data` returns
# the data set, and `build` composes model, objective and optimiser. To try an idea, change a line
# in one of them. This notebook does that four times, with your own text if you like, and compares
# the results. Then it interrupts a run and continues it.
#
# `quickstart.ipynb` is the introduction. The method is from
# [Hoogeboom et al., 2021](https://arxiv.org/abs/2102.05379), section 4; the library is
# [amd_jax](%REPOSITORY%).

# %% [markdown]
# The next cell holds all settings. The runs are short, so that five of them take a few minutes:
# enough to see differences, not enough to judge an idea.

# %% tags=["parameters"]
SEED = 0
TEXT_PATH = ""  # your text file, at least 20 * LENGTH characters; empty: upload, or embedded text
LENGTH = 128  # characters in a row
STEPS = 300  # training steps of each run
BATCH = 8  # texts per step; rounded up to a multiple of the number of devices
EVALUATED = 60  # test texts for bits per character
STOPPED_STEPS = 60  # training steps of the run that is interrupted after two thirds
SENTENCE = "the exsmple shiws how a funvtion is cslled with twi arguments"  # typed in a hurry
GAPS = "the f_______ is called with two ar_______"  # one _ for each unknown character
WORKDIR = "runs/change_one_thing"  # folder of the runs; the same settings continue them

# %% [markdown]
# ## Your text
#
# In Colab this cell asks for a file; cancel to use the embedded text, Python's own documentation.
# Elsewhere, set `TEXT_PATH`. The alphabet is the set of characters in the text: each is a class.

# %%
from amd_jax.data import stdlib_docs, text


def text_file():
    """The path of a text file, or None for the embedded text."""
    if TEXT_PATH:
        return TEXT_PATH
    try:
        from google.colab import files
    except ImportError:
        return None
    return next(iter(files.upload()), None)


path = text_file()
rows = stdlib_docs.load(LENGTH) if path is None else text.load(path, LENGTH)
print(rows.facts.summary({split: len(rows.rows(split)) for split in rows.splits}))

# %% [markdown]
# ## The experiment
#
# These are the three functions. `build` has two open choices, which the next cells change: the
# **kernel**, which defines the noise, and the **denoiser**, the network that predicts the clean
# text. Posterior, bound and sampler are derived from the kernel, so nothing else has to change.

# %%
import jax

from amd_jax import networks
from amd_jax.diffusion import kernels, schedules
from amd_jax.evaluation.reports import run_report
from amd_jax.experiment import Experiment, Parts, numbers
from amd_jax.learning import objectives, optimizers
from amd_jax.models import Diffusion


def get_config():
    """Numbers only."""
    num_devices = jax.device_count()
    config = numbers(seed=SEED, num_steps=STEPS, batch_size=-(-BATCH // num_devices) * num_devices)
    config.update(clip=1.0, log_every=50)
    config.timesteps = 100  # T
    config.network = dict(width=64, blocks=2, join_width=96)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=min(50, STEPS))
    return config


def data(config):
    """The data set."""
    return rows


def with_parts(kernel, denoiser):
    """The experiment with a kernel and a denoiser, both built from the facts of the data."""

    def build(config, facts):
        model = Diffusion(kernel(facts), denoiser(config, facts), steps=config.timesteps)
        objective = objectives.CrossEntropy(model, warp=objectives.mostly_early)
        optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
        return Parts(model, objective, optimizer)

    return Experiment(get_config, data, build)


def uniform(facts):
    """Noise that is uniform over the classes, with the cosine schedule."""
    return kernels.uniform(schedules.cosine, facts.num_classes)


def hollow(config, facts):
    """A network that reads both sides of a position, but not the character there."""
    frequencies = facts.log_frequencies
    return networks.Hollow(facts.num_classes, log_frequencies=frequencies, **config.network)


runs, results = {}, {}


def train(name, experiment):
    """Trains an experiment in its own folder, and measures bits per character of test texts."""
    run, params = experiment.fit(f"{WORKDIR}/{name.replace(' ', '_')}", experiment.config())
    estimate, line = run_report.bits(run.model, params, rows, split="test", number=EVALUATED)
    print(line)
    runs[name], results[name] = (run, params), (estimate.bits, estimate.error)


train("baseline", with_parts(uniform, hollow))

# %% [markdown]
# ## Another schedule
#
# A schedule is a function from the time in $[0, 1]$ to $\log \bar\alpha_t$, the log-probability
# that a character is unchanged. It is 0 at time 0, never increases, and is about $-30$ at time 1,
# where no information may be left. This one is quadratic, $\log\bar\alpha_t = -30\,t^2$. It spends
# most of its time on texts that are hardly readable, where there is little to learn.

# %%
import jax.numpy as jnp
import numpy as np

from amd_jax import plotting


def quadratic(t):
    """Log-probability that a character is unchanged at times t."""
    return -30.0 * t**2


compared = {
    "quadratic (this notebook)": quadratic,
    "cosine": schedules.cosine,
    "linear": schedules.linear,
    "polynomial(2)": schedules.polynomial(2.0),
}
t = jnp.linspace(0, 1, 201)
lines = {name: (t, np.exp(schedule(t))) for name, schedule in compared.items()}
plotting.curves(lines, x_label="time t", y_label="share of unchanged characters")

# %%
own_schedule = with_parts(lambda facts: kernels.uniform(quadratic, facts.num_classes), hollow)
train("own schedule", own_schedule)

# %% [markdown]
# ## Another kernel
#
# People who type in a hurry hit the key next to the right one. This kernel does the same: a
# character jumps to each neighbouring key at a rate of 1, and to any other key at a small rate.
# With the matrix $R$ of these rates, the transition probabilities are a matrix exponential,
#
# $$q(x_t \mid x_s) = \exp\big((\tau_t - \tau_s) R\big)_{x_s x_t}, \qquad \tau_t = 30\, t^2.$$
#
# A kernel has two methods: `push` moves a distribution forward in time, and `likelihood` returns
# $q(x_t \mid x_s = k)$ for each $k$. Since $R$ is symmetric, the distribution at time 1 is
# uniform, and the exponential is computed from eigenvalues. The figure shows the probabilities
# that one key is typed for another, shaded by their square roots.

# %%
import dataclasses

from amd_jax.ops.categorical import one_hot

KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "    ")
SHIFTS = (0.0, 0.3, 0.7, 3.0)  # of the rows of keys, in widths of a key


def rates_of(alphabet):
    """Rates (K, K) between keys: symmetric, and each row sums to zero."""
    positions = [
        (sign, row, column + SHIFTS[row])
        for row, keys in enumerate(KEYS)
        for column, sign in enumerate(keys)
    ]
    rates = np.full((len(alphabet), len(alphabet)), 0.3 / len(alphabet))
    for a, row_a, column_a in positions:
        for b, row_b, column_b in positions:
            if {a, b} <= {*alphabet} and np.hypot(row_a - row_b, column_a - column_b) < 1.25:
                rates[alphabet.index(a), alphabet.index(b)] = 1.0
    np.fill_diagonal(rates, 0.0)
    return rates - np.diag(rates.sum(axis=1))


@dataclasses.dataclass(frozen=True, eq=False)
class Slips:
    """Jumps between keys, at symmetric rates with these eigenvalues and eigenvectors."""

    eigenvalues: jax.Array  # (K,)
    eigenvectors: jax.Array  # (K, K)
    prior: jax.Array  # (K,), the distribution at time 1
    num_classes: int

    def push(self, p, s, t):
        """The distribution of x_t if x_s has the distribution p: (B, ..., K) -> (B, ..., K)."""
        return jnp.einsum("b...j,bjk->b...k", p, self.matrix(s, t))

    def likelihood(self, x_t, s, t):
        """q(x_t | x_s = k) for each k: (B, ...) -> (B, ..., K)."""
        return jnp.einsum("b...k,bjk->b...j", one_hot(x_t, self.num_classes), self.matrix(s, t))

    def matrix(self, s, t):
        """Transition probabilities between times s and t (B,): (B, K, K)."""
        factors = jnp.exp(30.0 * (t**2 - s**2)[:, None] * self.eigenvalues)
        p = jnp.einsum("ik,bk,jk->bij", self.eigenvectors, factors, self.eigenvectors)
        return jnp.maximum(p, 0.0)  # rounding errors are as large as 1e-7


def slips(facts):
    """The kernel for an alphabet."""
    values, vectors = np.linalg.eigh(rates_of(facts.alphabet))
    k = facts.num_classes
    return Slips(jnp.float32(values), jnp.float32(vectors), jnp.full(k, 1 / k), k)


kernel, times = slips(rows.facts), (0.06, 0.12, 0.25)
matrices = {f"t = {t}": kernel.matrix(jnp.zeros(1), jnp.full(1, t))[0] for t in times}
names = rows.facts.alphabet.replace(" ", "_")
plotting.heat_maps(matrices, x_label="typed key", y_label="intended key", names=names, maximum=1)

# %%
train("own kernel", with_parts(slips, hollow))

# %% [markdown]
# Both models correct the same sentence, typed in a hurry; changed characters are highlighted. The
# new kernel has lost all information after a quarter of the time, as the figure shows, so most
# training steps used texts without information. A slower $\tau_t$ is the next thing to try.

# %%
from amd_jax.evaluation import correction
from amd_jax.models.corrections import Correct

sentence = stdlib_docs.normalize(SENTENCE) if path is None else SENTENCE
tokens = rows.facts.encode(sentence, unknown=int(np.argmax(rows.facts.frequencies)))
corrected = {"typed": tokens}
for name in ("baseline", "own kernel"):
    run, params = runs[name]
    edit = Correct(error_rate=0.1)
    corrected[name] = correction.edited_text(edit, run.model, params, tokens, LENGTH)
plotting.text_table(rows.facts, corrected, {name: x != tokens for name, x in corrected.items()})

# %% [markdown]
# ## Masks
#
# Noise can also hide a character instead of replacing it. Then there is one more state, the
# **mask**, and each character that is not masked is correct. The kernel is again one line. The
# network gets one more input state, and never predicts a mask.


# %%
def masks(facts):
    """Noise that hides characters at a constant rate."""
    return kernels.absorbing(schedules.linear, facts.num_classes)


def hollow_with_masks(config, facts):
    """The same network with one more state."""
    frequencies = (*facts.log_frequencies, 0.0)  # any number for the mask: it is never predicted
    return networks.Hollow(facts.num_classes + 1, log_frequencies=frequencies, **config.network)


train("masks", with_parts(masks, hollow_with_masks))

# %% [markdown]
# This model cannot correct errors, since in training there are none. But it can fill gaps: a text
# with gaps is a state of the noise process, and the sampler continues from there. The probability
# of each filling, given the text around it, is exact and not a bound: it is the product of the
# probabilities of one character after the other. A lower number of bits is more probable.

# %%
from amd_jax.evaluation import gallery

run, params = runs["masks"]
known = np.array([sign != "_" for sign in GAPS])
gaps = rows.facts.encode(GAPS, unknown=0)
x, is_known, is_wanted = (jnp.tile(part, (4, 1)) for part in (gaps, known, ~known))
rng = jax.random.key(SEED)
filled, nats = gallery.infilled(run.model, params, rng, x, is_known, is_wanted)
bits = -np.asarray(nats) / np.log(2)
ordered = {f"{n}. {bits[i]:.1f} bits": filled[i] for n, i in enumerate(np.argsort(bits), 1)}
plotting.text_table(rows.facts, ordered, dict.fromkeys(ordered, ~known))

# %% [markdown]
# ## Another denoiser
#
# A denoiser is any Flax module that maps noisy tokens and times to logits. This one is a stack of
# convolutions. Unlike `Hollow`, it can read the character that it has to predict. With the plain
# cross-entropy it would learn to copy it. The objective detects this and uses the cross-entropy of
# the posterior instead, which includes the evidence of the character itself.

# %%
import flax.linen as nn


class Convolutions(nn.Module):
    """Predicts each position from the 33 around it, itself included: (B, L) -> (B, L, K)."""

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


def convolutions(config, facts):
    """The denoiser for the classes of the data."""
    return Convolutions(facts.num_classes)


train("own denoiser", with_parts(uniform, convolutions))

# %% [markdown]
# All five results are bounds on the same $-\log p(x)$, so they can be compared, although the noise
# differs. Error bars are standard errors over the test texts.

# %%
label = f"bits per character of test text after {STEPS} steps (lower is better)"
plotting.bars(results, label=label, highlight=results)

# %% [markdown]
# ## Interrupting and resuming a run
#
# A long run can be interrupted: Colab ends the session, or the power fails. A checkpoint is saved
# every `checkpoint_every` steps. The batch and the noise of a step are functions of the seed and
# the step number, so the same call continues the run exactly. Here an exception in the middle of
# an evaluation stands for the power failure.


# %%
class PowerFailure(Exception):
    """Ends the run."""


def failing(params):
    """An evaluation that never returns."""
    raise PowerFailure


experiment = with_parts(uniform, hollow)
config = experiment.config()
config.update(num_steps=STOPPED_STEPS, checkpoint_every=max(1, STOPPED_STEPS // 4))
config.update(evaluate_every=2 * STOPPED_STEPS // 3, evaluate_texts=min(EVALUATED, 16))
try:
    experiment.fit(f"{WORKDIR}/stopped", config, evaluate=failing)
except PowerFailure:
    print(f"\nPower failure at step {config.evaluate_every}. The same call again:\n")
_, continued = experiment.fit(f"{WORKDIR}/stopped", config)
print("\nThe same run without interruption:\n")
_, unbroken = experiment.fit(f"{WORKDIR}/unbroken", config)

same = jax.tree.map(np.array_equal, continued, unbroken)
print(f"\nAll parameters are bitwise equal: {all(jax.tree.leaves(same))}")

# %% [markdown]
# ## Loading a run
#
# `load_run` reads the newest intact checkpoint in a folder. A run of an experiment *file* contains
# that file and needs nothing else. A run that was composed in a notebook needs the experiment as
# an argument. `jax.jit` compiles `model.sample` during the first call; later calls are fast.

# %%
import time

import amd_jax

run, params = amd_jax.load_run(f"{WORKDIR}/baseline", experiment=experiment)
sample = jax.jit(run.model.sample, static_argnums=2)
for call in ("first", "second"):
    start = time.perf_counter()
    x = sample(params, jax.random.key(SEED), (4, LENGTH)).block_until_ready()
    print(f"{call} call: {time.perf_counter() - start:.2f} s")
plotting.text_table(run.facts, {f"sample {i + 1}": row for i, row in enumerate(x)})

# %% [markdown]
# ## Next steps
#
# - Put the three functions into a file: `amd-jax --config=my_experiment.py` trains it from the
#   command line, with a flag for each number.
# - A flow layer, a sampler, another kind of data set: the Protocols in `amd_jax/types.py` define
#   what each of them needs.
