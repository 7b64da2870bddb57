# %% [markdown]
# # Lines of any length
#
# %BADGE%
#
# Names, molecules, proteins: lines of characters, each of its own length. A model of such lines is
# a probability distribution $p(x)$ over all of them, and it has to get the length right as well.
# Here the length is drawn first, and then the characters given the length:
# $p(x) = p(n)\, p(x_1 \dots x_n \mid n)$.
#
# The lines of this notebook have a known distribution, so every answer of the model is compared
# with the truth. Your own file works in the same way: text, `.smi`, FASTA, or a column of a CSV.
# The library is [amd_jax](%REPOSITORY%).

# %% tags=["parameters"]
SEED = 0
STEPS = 1500  # training steps
DRAWN = 400  # lines to draw, of each kind
STRENGTHS = (1.0, 2.0, 4.0)  # of guidance
PARTICLES = 32  # weighted draws of each guided line
FILLED = 400  # fillings of a gap
WORKDIR = "runs/numerals"  # folder of the run; the same settings continue it

# %% [markdown]
# ## The lines
#
# The Roman numerals of 1 to 3999, each as likely as any other. Their lengths differ (`I` to
# `MMMDCCCLXXXVIII`), and few strings of these seven letters are numerals. Each has a label, which
# is noisy: number $n$ is called `big` with probability $n / 4000$, and else `small`. A line is in
# one split only, so the model never sees the test lines.

# %%
import csv
from pathlib import Path

import numpy as np

from amd_jax.data import lines

VALUES = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
SIGNS = ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I")


def roman(number):
    """A number from 1 to 3999 as a numeral."""
    result = ""
    for value, sign in zip(VALUES, SIGNS, strict=True):
        count, number = divmod(number, value)
        result += count * sign
    return result


numbers = np.arange(1, 4000)
numeral = {roman(number): number for number in numbers}
is_big = np.random.default_rng(SEED).random(len(numbers)) < numbers / 4000
path = Path("numerals.csv").absolute()
with path.open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["numeral", "size"])
    writer.writerows(zip(numeral, np.where(is_big, "big", "small"), strict=True))

data = lines.load(str(path), column="numeral", label="size")
facts = data.facts
print(facts.summary({split: len(data.rows(split)) for split in data.splits}))
print(*(facts.show(row) for row in data.rows("test")[:6]), sep="\n")

# %% [markdown]
# ## Training
#
# The model is a masked diffusion: characters and labels are hidden at random, and a network learns
# the distribution of each hidden one given the visible ones and the length. So it knows the
# distribution of lines given a label, of labels given a line, and of any gap.

# %%
from amd_jax import Experiment, plotting
from amd_jax.experiments import own_lines

experiment = Experiment.open(own_lines)
config = experiment.config()
config.update(seed=SEED, num_steps=STEPS, evaluate_every=max(1, STEPS // 4))
config.data.update(path=str(path), column="numeral", label="size")
config.network.update(width=64, blocks=2, join_width=96)
run, params = experiment.fit(WORKDIR, config)
plotting.training_curve(WORKDIR)

# %% [markdown]
# ## Evaluation: bits per line
#
# A line costs $-\log_2 p(x)$ bits, and no model needs fewer on average than the true
# distribution: $\log_2 3999$ for the numeral, and the entropy of its label. `BothSides` gives two
# bounds, and the bits of the model are between them. The effective number of draws says how far
# these can be trusted.

# %%
import jax

from amd_jax.evaluation import likelihood, means
from amd_jax.models.both_sides import BothSides

p = numbers / 4000
of_label = -(p * np.log2(p) + (1 - p) * np.log2(1 - p)).mean()
bound, test = BothSides(weighted_draws=32), data.rows("test")
estimate = likelihood.bits(bound, run.model, params, jax.random.key(SEED), test, facts)
below = estimate.other_side
at_most, at_least = (
    means.of(of_rows.sums, independent=True) for of_rows in (estimate.per_row, below.per_row)
)
print(f"at most  {means.shown(*at_most)} bits per line")
print(f"at least {means.shown(*at_least)} bits per line")
print(f"true distribution: {np.log2(len(numbers)) + of_label:.3f} bits per line")
print(f"{below.effective:.1f} of {bound.weighted_draws} draws are effective")

# %% [markdown]
# ## Samples
#
# Three questions: how many samples are numerals at all, how many of these differ, and how many of
# the different ones are not in the training lines. Only a model that has learned the rule writes
# numerals that it has not seen.

# %%
from amd_jax.evaluation.lines import line_measures

x = run.model.sample(params, jax.random.key(SEED), (DRAWN, *facts.event_shape))
samples = list(facts.lines(np.asarray(x)))
right = [line for line in samples if line in numeral]
train = set(facts.lines(data.rows("train")))
valid = np.array([line in numeral for line in samples])
print("numerals: ", means.shown(*means.of(valid, independent=True)))
print("different:", means.shown(*line_measures.unique(right)))
print("new:      ", means.shown(*line_measures.novel(right, train)))
print(*samples[:8], sep=", ")

# %% [markdown]
# ## Labels and guidance
#
# Given the label `big`, number $n$ has the probability $n / \sum n$, and the mean is 2666.
# Guidance of strength $\gamma$ asks for more of it:
# $p(\text{line})\, p(\text{label} \mid \text{line})^\gamma$, here $n^\gamma / \sum n^\gamma$.
# Usually guidance is applied step by step, which samples from something else. Here each line is
# chosen among weighted particles: the more of them, the nearer the samples are to that
# distribution. One particle is plain guidance.

# %%
from amd_jax.diffusion.samplers import Guided
from amd_jax.evaluation.lines import labelled


def mean_number(rows):
    """The mean number of the lines that are numerals, and its error."""
    found = [numeral[line] for line in facts.lines(np.asarray(rows)) if line in numeral]
    return means.of(np.array(found), independent=True)


results = {}
for strength in STRENGTHS:
    weights = numbers**strength
    results[f"γ = {strength:g}, true"] = ((numbers * weights).sum() / weights.sum(), 0.0)
    for count in (1, PARTICLES):
        sampler = Guided(guidance=strength, particles=count)
        drawn = labelled.guided(run.model, params, facts, "big", DRAWN, sampler, SEED)
        results[f"γ = {strength:g}, {count} drawn"] = mean_number(drawn.rows)
highlight = [name for name in results if name.endswith("true")]
plotting.bars(results, label="mean number, of lines guided towards big", highlight=highlight)

# %% [markdown]
# ## Gaps
#
# Gaps are filled from the distribution given everything else. The numerals that fit are known, so
# the shares of the fillings are compared with the true ones: each that fits is equally likely.

# %%
from collections import Counter

TEXT = "MC__V"
gaps = np.array([sign == "_" for sign in TEXT])
row = facts.row(TEXT.replace("_", "I"), "big")
known = np.ones(facts.event_shape, bool)
known[0] = False  # the label, which may be either
known[1 : 1 + len(TEXT)] = ~gaps
rows, flags = np.tile(row, (FILLED, 1)), np.tile(known, (FILLED, 1))
filled = run.model.infill(params, jax.random.key(SEED), rows, flags)
counts = Counter(facts.lines(np.asarray(filled)))
fitting = [
    line
    for line in numeral
    if len(line) == len(TEXT) and all(a in ("_", b) for a, b in zip(TEXT, line, strict=True))
]
for line in fitting:
    print(f"{line}: {counts[line] / FILLED:.3f}, true {1 / len(fitting):.3f}")
print(f"no numeral: {sum(n for line, n in counts.items() if line not in numeral) / FILLED:.3f}")

# %% [markdown]
# ## Next steps
#
# - Your own lines: `python -m experiments.run --config=own_lines --config.data.path=molecules.smi
#   --config.data.validity=smiles`. All commands are on the
#   [page about lines](%REPOSITORY%/blob/main/docs/how_to/lines.md).
# - Other models of the same lines: `own_lines_autoregressive`, `own_lines_multinomial`,
#   `own_lines_argmax`, and `own_lines_insertion`, whose lines grow without a length drawn first.
# - `Guided(reward=...)`: a function of your own in place of a label.
