# %% [markdown]
# # Lines of any length: numerals and molecules
#
# %BADGE%
#
# Names, molecules, proteins: rows of characters, each of its own length. A model of such lines is
# a probability distribution $p(x)$ over all of them, and it has to get the length right as well.
# Here the length is drawn first, and the characters given the length:
# $p(x) = p(n)\, p(x_1 \dots x_n \mid n)$.
#
# The first half of this notebook trains a model on lines whose true distribution is known, so that
# its bits can be compared with the truth. The second half draws molecules from weights that come
# with the library, [amd_jax](%REPOSITORY%), under conditions.

# %% tags=["parameters"]
SEED = 0
STEPS = 800  # training steps
DRAWN = 500  # lines to draw
MOLECULES = 200  # molecules to draw, of each kind
PARTICLES = 16  # weighted draws of each guided molecule
FILLED = 8  # molecules around a fragment
WORKDIR = "runs/numerals"  # folder of the run; the same settings continue it

# %% [markdown]
# ## The lines
#
# The Roman numerals of 1 to 3999, each as likely as any other. Their lengths differ (`I` to
# `MMMDCCCLXXXVIII`), and few strings of these seven letters are numerals. Each line stands in one
# of the splits only, so the model never sees the test lines. A line of your own file is read in
# the same way: text, `.smi`, FASTA, or a column of a CSV.

# %%
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


numerals = [roman(number) for number in range(1, 4000)]
Path("numerals.txt").write_text("\n".join(numerals))
data = lines.load("numerals.txt")
facts = data.facts
print(facts.summary({split: len(data.rows(split)) for split in data.splits}))
print(*(facts.show(row) for row in data.rows("test")[:8]), sep=", ")

# %% [markdown]
# ## Training
#
# The model is a masked diffusion: characters are hidden at random, and a network learns the
# distribution of each hidden one given the visible ones and the length.

# %%
from amd_jax import Experiment, plotting
from amd_jax.experiments import own_lines

experiment = Experiment.open(own_lines)
config = experiment.config()
config.update(seed=SEED, num_steps=STEPS, batch_size=32, evaluate_every=max(1, STEPS // 4))
config.data.path = str(Path("numerals.txt").absolute())
config.network.update(width=64, blocks=2, join_width=96)
run, params = experiment.fit(WORKDIR, config)
plotting.training_curve(WORKDIR)

# %% [markdown]
# ## Evaluation: bits per line
#
# All 3999 lines are equally likely, so no model needs fewer than $\log_2 3999 = 11.965$ bits on
# average. `BothSides` gives bounds from both sides: the true bits of the model are between
# the two, and the effective number of draws says how far these can be trusted.

# %%
import math

import jax

from amd_jax.evaluation import likelihood, means
from amd_jax.models.both_sides import BothSides

test = data.rows("test")
bound = BothSides(weighted_draws=32)
estimate = likelihood.bits(bound, run.model, params, jax.random.key(SEED), test, facts)
at_most = means.of(estimate.per_row.sums, independent=True)
at_least = means.of(estimate.least.sums, independent=True)
print(f"at most  {means.shown(*at_most)} bits per line")
print(f"at least {means.shown(*at_least)} bits per line")
print(f"{estimate.effective:.1f} of {bound.weighted_draws} draws are effective")
print(f"the true distribution: {math.log2(len(numerals)):.3f} bits per line")

# %% [markdown]
# ## Samples
#
# Three questions: how many of the samples are numerals at all, how many differ from each other,
# and how many of these are not in the training lines. Only a model that has learned the rule can
# write numerals that it has not seen.

# %%
from amd_jax.evaluation.lines import line_measures

x = run.model.sample(params, jax.random.key(SEED), (DRAWN, *facts.event_shape))
samples = [facts.decode(row) for row in x]
valid = np.isin(samples, numerals)
train = [facts.decode(row) for row in data.rows("train")]
right = [line for line, good in zip(samples, valid, strict=True) if good]
print("valid:    ", means.shown(*means.of(valid, independent=True)))
print("different:", means.shown(*line_measures.unique(right)))
print("new:      ", means.shown(*line_measures.novel(right, train)))
print(*samples[:10], sep=", ")

# %% [markdown]
# ## Molecules
#
# The weights `molecules` are of the same kind of model, trained on 237,500 drug-like molecules of
# MOSES ([Polykovskiy et al., 2020](https://doi.org/10.3389/fphar.2020.565644)) in SMILES, the
# usual notation for molecules. Each line has a label, the number of its rings.

# %%
import amd_jax
from amd_jax.evaluation.lines import labelled, validity

model, weights, facts = amd_jax.pretrained.load("molecules")
draw = jax.jit(model.sample, static_argnums=2)
x = draw(weights, jax.random.key(SEED), (MOLECULES, *facts.event_shape))
print(*(facts.show(row) for row in x[:8]), sep="\n")
good = validity.of([facts.decode(row) for row in x], "smiles")
print(f"valid by the grammar of SMILES: {means.shown(*means.of(good, independent=True))}")

# %% [markdown]
# ## Conditions, and guidance
#
# Molecules with four rings: the label is given, and the rest is drawn from the conditional
# distribution. Guidance of strength $\gamma$ raises $p(\text{label} \mid \text{line})$ to the
# power $\gamma$. It is usually applied step by step, which samples from something else. Here each
# line is chosen among weighted particles: the more of them, the nearer the samples are to
# $p(\text{line})\, p(\text{label} \mid \text{line})^\gamma$.

# %%
from amd_jax.diffusion.samplers import Guided
from amd_jax.facts import smiles

LABEL = "4"


def share_with_label(rows):
    """The share of lines that are molecules with as many rings as asked for, by their digits."""
    lines = facts.lines(np.asarray(rows))
    found = [smiles.is_valid(s) and smiles.kinds(s)["ring"] == 2 * int(LABEL) for s in lines]
    return means.of(np.array(found), independent=True)


kinds = {"any label": x, "given": labelled.draws(model, weights, facts, LABEL, MOLECULES, SEED)}
for strength in (2.0, 4.0):
    sampler = Guided(guidance=strength, particles=PARTICLES)
    result = labelled.guided(model, weights, facts, LABEL, MOLECULES, sampler, SEED)
    kinds[f"guidance {strength:g}"] = result.rows
shares = {name: share_with_label(rows) for name, rows in kinds.items()}
plotting.bars(shares, label="share of molecules with four rings")

# %% [markdown]
# ## A molecule around a fragment
#
# Gaps are filled from the distribution given everything else: here around a benzene ring, which
# stays as it is.

# %%
fragment = "CC(=O)N" + "?" * 6 + "c1ccccc1"
given = np.array([c != "?" for c in fragment])
row = facts.row(fragment.replace("?", "C"), LABEL)
known = np.ones(facts.event_shape, bool)
known[0] = False  # any number of rings
known[1 : 1 + len(fragment)] = given
rows, flags = np.tile(row, (FILLED, 1)), np.tile(known, (FILLED, 1))
filled = jax.jit(model.infill)(weights, jax.random.key(SEED), rows, flags)
for row in filled:
    line = facts.decode(row)
    print(line, "" if validity.of([line], "smiles")[0] else "(not valid)")

# %% [markdown]
# ## Next steps
#
# - Your own lines: `python -m experiments.run --config=own_lines --config.data.path=molecules.smi
#   --config.data.validity=smiles`; all commands are on the
#   [page about lines](%REPOSITORY%/blob/main/docs/how_to/lines.md).
# - Other models of the same lines: `own_lines_autoregressive`, `own_lines_multinomial`,
#   `own_lines_argmax`, and `own_lines_insertion`, whose lines grow without a length drawn first.
# - `Guided(reward=...)`: any function of the rows as the target of guidance.
