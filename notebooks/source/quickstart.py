# %% [markdown]
# # Multinomial diffusion in five minutes
#
# A diffusion model learns to undo noise. Here the data are characters, so the noise is spelling
# errors: more and more of them, until nothing of the text is left. A network that has learnt to
# take a few of them back can write text out of pure noise, and correct a text that has some.
#
# You will train such a model on the help texts that come with Python, measure it in bits per
# character, sample from it, watch a text come out of noise, and let it correct spelling. The
# method is that of [Hoogeboom et al., 2021](https://arxiv.org/abs/2102.05379), section 4.
#
# [Open this notebook in Colab](%COLAB%) · [the library](%REPOSITORY%)

# %% [markdown]
# All numbers of this notebook are in the next cell. More steps make a better model: with 2000 it
# has learnt most of what its size allows.

# %% tags=["parameters"]
SEED = 0
STEPS = 1000  # of training
BATCH = 8  # texts per step; rounded up to a multiple of the devices
EVALUATED = 60  # texts that bits and corrections are measured on
SAMPLES = 3  # texts to draw
SAMPLING_STEPS = 250  # at most 1000, in which the model was trained
FRAMES = 9  # states to show of a text on its way out of noise
ERROR_RATE = 0.05  # share of the characters that are replaced in the test of corrections
SENTENCE = "the follpwing example shows how a functuon can be calked with any nimber of arguments"
WORKDIR = "runs/quickstart"  # the run is kept here; the same numbers continue it

# %%
import html
import inspect
import itertools
import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, Markdown, display

from amd_jax import Experiment
from amd_jax.data import stdlib_docs
from amd_jax.diffusion import kernels, schedules
from amd_jax.evaluation import correction, count_models
from amd_jax.evaluation.reports import run_report
from amd_jax.experiments import quickstart
from amd_jax.models.corrections import Correct

plt.rcParams.update({"figure.dpi": 90, "axes.spines.top": False, "axes.spines.right": False})
BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#718096"

# %% [markdown]
# ## The data, and how noise destroys them
#
# A text is a row of 256 characters, each one of $K = 27$ classes: `a` to `z` and the space. Noise
# acts on every character by itself. In each of $T = 1000$ steps it is kept with probability
# $1 - \beta_t$, and otherwise drawn anew, all classes alike (eq. 11):
#
# $$q(x_t \mid x_{t-1}) =
# \mathrm{Cat}\big(x_t \mid (1 - \beta_t)\, x_{t-1} + \beta_t / K\big).$$
#
# Many such steps are one of the same kind, with the product $\bar\alpha_t = \prod_{s \le t}
# (1 - \beta_s)$ as the probability that a character was never drawn anew (eq. 12). In the library
# time runs from 0, the data, to 1, pure noise; the *schedule* says what $\bar\alpha_t$ is.

# %%
data = stdlib_docs.load(length=256)
facts = data.facts
kernel = kernels.uniform(schedules.cosine, facts.num_classes)
original = jnp.asarray(data.rows("test")[4:5], jnp.int32)  # (1, 256)


LEFT = "text-align:left"


def marked(text, changed, width=64):
    """A text in lines, as HTML, with the characters that changed on a ground of their own."""
    lines = []
    for i in range(0, len(text), width):
        pairs = zip(text[i : i + width], map(bool, changed[i : i + width]), strict=True)
        runs = itertools.groupby(pairs, lambda pair: pair[1])
        runs = [(new, html.escape("".join(sign for sign, _ in run))) for new, run in runs]
        lines.append("".join(f"<mark>{signs}</mark>" if new else signs for new, signs in runs))
    return "\n".join(lines)


def show(rows):
    """Rows of a title, tokens, and which of them changed, as a table."""
    lines = ((title, marked(facts.decode(x), changed)) for title, x, changed in rows)
    cells = (
        f"<tr><th>{title}</th>\n<td style={LEFT}><pre>{line}</pre></td></tr>"
        for title, line in lines
    )
    display(HTML("<table>\n{}\n</table>".format("\n".join(cells))))


noisy = []
for t in (0.0, 0.1, 0.3, 0.6, 1.0):
    x_t = kernels.corrupt(kernel, jax.random.key(SEED), original, jnp.array([t]))[0]
    keep = math.exp(schedules.cosine(jnp.array(t)))
    noisy.append((f"t = {t:.1f}, {keep:.0%} kept", x_t, x_t != original[0]))
show(noisy)

# %% [markdown]
# ## The model
#
# The way back is Bayes' rule. If the clean text were known, the step from $x_t$ to $x_{t-1}$ would
# be $q(x_{t-1} \mid x_t, x_0)$, a product of two laws that we have. It is not known, so a network
# guesses it: $\hat x_0 = \mu_\theta(x_t, t)$, a distribution over the 27 classes at each position,
# takes its place (eq. 13):
#
# $$p_\theta(x_{t-1} \mid x_t) = q(x_{t-1} \mid x_t, \hat x_0)
# \;\propto\; q(x_t \mid x_{t-1}) \odot q(x_{t-1} \mid \hat x_0).$$
#
# An experiment of this library is one file with three functions. This is the last one, `build`,
# which composes the model. `Hollow` is a network that reads the text on both sides of a position
# and never the character there, so it cannot learn to copy; what the character itself tells is
# multiplied in by the formula.

# %%
Markdown(f"```python\n{inspect.getsource(quickstart.build)}```")

# %% [markdown]
# ## Training
#
# `fit` trains in a folder and returns the run with its averaged parameters. It prints a line every
# 20 seconds. Stop it (the button ■) and run the cell again: it continues where it was, and ends
# with the same numbers as if it had never been stopped.

# %%
experiment = Experiment.open(quickstart)
config = experiment.config()
devices = jax.device_count()
config.update(seed=SEED, num_steps=STEPS, batch_size=-(-BATCH // devices) * devices)
config.update(evaluate_every=max(1, STEPS // 5), evaluate_texts=EVALUATED)
run, params = experiment.fit(WORKDIR, config)

# %%
records = [json.loads(line) for line in (Path(WORKDIR) / "metrics.jsonl").read_text().splitlines()]
loss = np.array(
    [(r["step"], r["loss_bits_per_char"]) for r in records if "loss_bits_per_char" in r]
)
name = "validation_elbo_bits_per_char"
bound = np.array([(r["step"], r[name], r[f"{name}_error"]) for r in records if name in r])

figure, axes = plt.subplots(figsize=(6.5, 3.2))
axes.plot(*loss.T, color=GREY, lw=1, label="cross-entropy, training texts with noise")
axes.errorbar(*bound.T, color=BLUE, marker="o", ms=4, capsize=3, label="bound, validation texts")
axes.set(xlabel="training step", ylabel="bits per character", title="What was learnt, and when")
axes.legend(frameon=False)
figure.tight_layout()

# %% [markdown]
# ## How good is it? Bits per character
#
# A model of text is as good as the probability it gives to text it has not seen. For a diffusion
# there is a lower bound on it (section 4), a sum over the steps, of which a few are drawn per
# text:
#
# $$-\log p(x_0) \;\le\; \mathbb{E}_q\Big[ \sum_{t \ge 2} \mathrm{KL}\big(q(x_{t-1} \mid x_t, x_0)
# \,\|\, p_\theta(x_{t-1} \mid x_t)\big) - \log p_\theta(x_0 \mid x_1) \Big]
# + \mathrm{KL}\big(q(x_T \mid x_0) \,\|\, \tfrac1K\big).$$
#
# Divided by $256 \ln 2$ these are bits per character: as many as an ideal compressor would need.
# Beside it stand models that count: how often each character followed the last 0, 3 or 6 ones in
# the training text. The bar on a value is its standard error. After so short a training, counting
# three characters is still ahead; the models that come with the package are not this small.

# %%
test = data.rows("test")[:EVALUATED]
found, line = run_report.bits(run.model, params, data, split="test", number=EVALUATED)
print(line)

results = {"all characters alike": (math.log2(facts.num_classes), 0.0)}
for order in (0, 3, 6):
    counted = count_models.bits_per_char(data.stream("train"), test, facts.num_classes, order)
    results[f"counts, {order} characters before"] = counted
results["this diffusion (at most)"] = (found.bits, found.error)

figure, axes = plt.subplots(figsize=(6.5, 2.4))
names, values = list(results), np.array(list(results.values()))
colours = [GREY] * (len(names) - 1) + [BLUE]
axes.barh(names, values[:, 0], xerr=values[:, 1], color=colours, height=0.6, capsize=3)
for i, (bits, error) in enumerate(values):
    axes.text(bits + error + 0.06, i, f"{bits:.2f}", va="center")
axes.set(xlabel="bits per character of test text (less is better)", xlim=(0, 5.3))
axes.invert_yaxis()
figure.tight_layout()

# %% [markdown]
# ## Samples
#
# Sampling starts from noise and takes the reverse step again and again. The model was trained on
# 1000 steps; it may walk a coarser grid of them, which is faster and costs little.
# `model.sample` is a pure function of parameters, a key and a shape: `jax.jit` compiles it.

# %%
sample = jax.jit(run.model.sample, static_argnums=(2, 3))
drawn = sample(params, jax.random.key(SEED), (SAMPLES, *facts.event_shape), SAMPLING_STEPS)
show([(f"sample {i + 1}", x, np.zeros(len(x))) for i, x in enumerate(np.asarray(drawn))])

# %% [markdown]
# ## Noise becomes text
#
# The same walk, with some of its states written down. A character on a coloured ground is another
# one than in the state above it. Where the noise happens to be near a word it becomes one early;
# later steps fit the rest around it, and the last ones repair single letters.

# %%
shape = (1, *facts.event_shape)
frames = list(run.model.walk(params, jax.random.key(SEED + 1), shape, FRAMES))
before, rows = frames[0][1][0], []
for t, x in frames:
    rows.append((f"t = {t:.2f}", x[0], x[0] != before))
    before = x[0]
show(rows)

# %% [markdown]
# ## Correcting spelling
#
# A text with a few errors is a text early in the noise. One pass of the network suffices: at each
# position take the most probable clean character, given all others and the one that is there,
#
# $$\hat x[n] = \arg\max_k \; \mu_\theta(x_t, t)[n, k] \cdot q(x_t[n] \mid x_0[n] = k),$$
#
# so a character is changed only where the text around it outweighs it (the paper's section 5.3
# takes $\arg\max \mu_\theta$ alone). `ERROR_RATE` sets the time $t$ at which so many characters
# are wrong.

# %%
edit = Correct(error_rate=ERROR_RATE)
trial = correction.trial(edit, run.model, params, test, facts.num_classes, SEED)
print(f"{trial.errors} of 256 characters replaced in each of {len(test)} texts:\n{trial}")
truth, damaged, restored = test[2], trial.damaged[2], trial.restored[2]
show(
    [
        ("damaged", damaged, damaged != truth),
        ("corrected", restored, restored != damaged),
        ("left wrong", truth, restored != truth),
    ]
)

# %% [markdown]
# And a sentence of your own, `SENTENCE` in the parameters. The model has read 300 thousand
# characters in its life, all of them about Python.

# %%
given = facts.encode(stdlib_docs.normalize(SENTENCE))
fixed = correction.edited_text(edit, run.model, params, given, length=256)
show([("given", given, np.zeros(len(given))), ("corrected", fixed, fixed != given)])

# %% [markdown]
# ## From here
#
# - `change_one_thing.ipynb`: your own text, kernel, schedule and network, and runs that go on.
# - `argmax_flows.ipynb`: the paper's other half, normalising flows for classes.
# - `maps.ipynb`: the same diffusion on segmentation maps.
# - `amd_jax.pretrained.load("wiki_text")` gives a larger model that was trained for hours; it
#   comes with the package.
