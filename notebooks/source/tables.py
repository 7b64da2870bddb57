# %% [markdown]
# # A model of a table
#
# %BADGE%
#
# Each row of a table has a value in every column, and the columns depend on each other. A model of
# the table is a probability distribution $p(x)$ over rows. With it you can draw new rows, draw
# rows that meet a condition, fill missing cells, and find cells that do not fit the rest of their
# row.
#
# The table of this notebook is drawn from a known distribution, so every answer of the model can
# be compared with the truth. Your own table works in the same way: replace `frame` by another data
# frame, or by the path of a CSV file. The library is [amd_jax](%REPOSITORY%).

# %% tags=["parameters"]
SEED = 0
ROWS = 20_000  # rows of the table
STEPS = 1500  # training steps
DRAWN = 4000  # rows to draw
EVALUATED = 2000  # new rows for the bits
SLIPS = 20  # rows in which one cell is replaced
WORKDIR = "runs/tables"  # folder of the run; the same settings continue it

# %% [markdown]
# ## The table
#
# `clinic` is a Bayesian network of eight columns. The season and the age influence who has an
# infection, an infection causes cough and fever, and these lead to a visit and to medicine. Some
# rows are impossible: nobody without an infection has a high fever.

# %%
import numpy as np

from amd_jax.data import bayesian_networks

truth = bayesian_networks.clinic()
rng = np.random.default_rng(SEED)
frame = truth.facts.to_pandas(truth.draw(rng, ROWS))
frame.head()

# %% [markdown]
# ## Training
#
# `tables.fit` finds out the kind of each column, and trains a masked diffusion model: cells are
# hidden at random, and a network learns the distribution of each hidden cell given the visible
# ones. So one network knows every conditional distribution.

# %%
from amd_jax import tables

model = tables.fit(frame, WORKDIR, steps=STEPS, seed=SEED)

# %% [markdown]
# ## Evaluation: bits per row
#
# A row costs $-\log_2 p(x)$ bits. No model needs fewer bits on average than the true distribution,
# whose mean is the entropy. Two simpler models are fitted for comparison: independent columns, and
# the best tree of pairs of columns. Error bars are standard errors.

# %%
from amd_jax import plotting
from amd_jax.evaluation import means
from amd_jax.evaluation.tables import chow_liu, independent

test = truth.draw(rng, EVALUATED)
new_rows = truth.facts.to_pandas(test)
train = truth.facts.encode({name: frame[name].tolist() for name in frame})
sizes = truth.facts.sizes

bits = {
    "independent columns": -independent.fit(train, sizes).log_prob(test) / np.log(2),
    "tree of pairs": -chow_liu.fit(train, sizes).log_prob(test) / np.log(2),
    "this model": model.score(new_rows)["bits"].to_numpy(),
    "true distribution": -truth.log_prob(test) / np.log(2),
}
print(f"entropy: {truth.entropy / np.log(2):.3f} bits per row")
results = {name: means.of(values, independent=True) for name, values in bits.items()}
label = "bits per row of new rows (lower is better)"
plotting.bars(results, label=label, highlight=["this model"])

# %% [markdown]
# All are measured on the same rows, so a difference from the true distribution is more precise
# than each of the figures. Its mean is the KL divergence from the truth to the model.

# %%
for name in list(bits)[:3]:
    gap, error = means.of(bits[name] - bits["true distribution"], independent=True)
    print(f"{name}: {gap:.3f} ± {error:.3f} bits per row above the true distribution")

# %% [markdown]
# ## Samples
#
# Drawn rows are a data frame in the format of the table. They have to show the same dependences.
# The matrices show Cramér's V of each pair of columns: 0 if they are independent, 1 if one follows
# from the other.

# %%
from amd_jax.evaluation.tables import association

drawn = model.sample(DRAWN, seed=SEED)
rows = truth.facts.encode({name: drawn[name].tolist() for name in drawn})
both = association.of_pairs(truth.facts, train, rows)
panels = dict(zip(("table", "samples"), both, strict=True))
plotting.heat_maps(panels, x_label="column", y_label="column", names=list(frame))

# %% [markdown]
# ## Conditions
#
# Which infection has somebody who coughs in winter? `given` draws rows from the conditional
# distribution. The truth is a sum over all 2592 possible rows.

# %%
states, column = truth.states, truth.facts.place("infection")
p = np.exp(truth.log_prob(states))
names = truth.facts.columns[column].values


def true_law(**given):
    """The true distribution of the infection, given values of other columns."""
    meets = np.ones(len(states), bool)
    for name, value in given.items():
        place = truth.facts.place(name)
        meets &= states[:, place] == truth.facts.columns[place].values.index(value)
    law = np.bincount(states[meets, column], weights=p[meets], minlength=len(names))
    return law / law.sum()


law = true_law(season="winter", cough="yes")
sick = model.sample(DRAWN, given="season=winter, cough=yes", seed=SEED)
results = {}
for name, share in zip(names, law, strict=True):
    results[f"{name}, true"] = (share, 0.0)
    results[f"{name}, model"] = means.of(sick["infection"] == name, independent=True)
highlight = [f"{name}, model" for name in names]
plotting.bars(results, label="share of rows with cough in winter", highlight=highlight)

# %% [markdown]
# ## Missing cells
#
# `fill` draws missing cells given the known ones. Several draws per row show how certain the
# result is: high fever in winter is mostly flu, while cough alone leaves all three possible.

# %%
gaps = frame.iloc[:0].reindex(range(2))
gaps.loc[0, ["season", "cough", "fever"]] = ["winter", "yes", "high"]
gaps.loc[1, ["season", "cough", "fever"]] = ["summer", "yes", "none"]
filled = model.fill(gaps, number=DRAWN, seed=SEED)
for row, given in gaps[["season", "cough", "fever"]].iterrows():
    shares = filled.loc[row, "infection"].value_counts(normalize=True)
    print(", ".join(f"{name}: {value}" for name, value in given.items()))
    for name, share in zip(names, true_law(**given), strict=True):
        print(f"    {name}: {shares.get(name, 0):.3f}, true {share:.3f}")

# %% [markdown]
# ## Cells that do not fit
#
# `score` also returns the bits of each cell given all others of its row. Here the fever is
# replaced in some rows, as by a slip of the keyboard. Rows whose fever takes the most bits come
# first; `slip` says which ones were replaced. A slip to a likely value cannot be found.

# %%
slipped = rng.choice(EVALUATED, SLIPS, replace=False)
damaged = new_rows.copy()
others = {"none": "high", "mild": "none", "high": "none"}
damaged.loc[slipped, "fever"] = damaged.loc[slipped, "fever"].map(others)
scores = model.score(damaged)["bits of fever"]
found = damaged[["infection", "cough", "visit", "fever"]].assign(bits=scores)
found["slip"] = found.index.isin(slipped)
found = found.sort_values("bits", ascending=False)
print(f"{found['slip'].head(SLIPS).sum()} of {SLIPS} slips are among the first {SLIPS} rows")
found.head(10)

# %% [markdown]
# ## Next steps
#
# - Your own table: `tables.fit("people.csv", "runs/people")`. A run has a page with all figures,
#   `python -m experiments.run --workdir=runs/people --mode=report`.
# - `model.sample(1000, where=lambda frame: frame["age"] > 30)`: any further condition.
# - `tables.fit(..., experiment="own_table_autoregressive")`: another model of the same table.
