# %% [markdown]
# # Multinomial diffusion in five minutes
#
# %BADGE%
#
# A diffusion model learns to remove noise. Here the data are characters, so noise means spelling
# errors: more and more of them, until nothing of the text is left. A network that has learned to
# undo a little noise can generate text from pure noise, and correct a text that has a few errors.
#
# In this notebook you train such a model on the help texts that come with Python. Then you measure
# it in bits per character, sample from it, watch text appear out of noise, and correct spelling
# errors. The method is from [Hoogeboom et al., 2021](https://arxiv.org/abs/2102.05379), section 4;
# the library is [amd_jax](%REPOSITORY%).

# %% [markdown]
# The next cell holds all settings. More training steps give a better model; after 2000 it has
# learned most of what a network of this size can.

# %% tags=["parameters"]
SEED = 0
STEPS = 1000  # training steps
BATCH = 8  # texts per step; rounded up to a multiple of the number of devices
EVALUATED = 60  # test texts for bits per character and corrections
SAMPLES = 3  # texts to generate
SAMPLING_STEPS = 250  # at most 1000, the number of steps in training
FRAMES = 9  # states to show of one denoising chain
ERROR_RATE = 0.05  # share of characters that are replaced before the model corrects them
SENTENCE = "the follpwing example shows how a functuon can be calked with any nimber of arguments"
WORKDIR = "runs/quickstart"  # folder of the run; the same settings continue it

# %% [markdown]
# ## The data, and the noise
#
# A text is a row of 256 characters from $K = 27$ classes: `a` to `z` and the space. Noise acts on
# each character separately. In each of $T = 1000$ steps a character is kept with probability
# $1 - \beta_t$; otherwise it is replaced by a class drawn uniformly (eq. 11):
#
# $$q(x_t \mid x_{t-1}) =
# \mathrm{Cat}\big(x_t \mid (1 - \beta_t)\, x_{t-1} + \beta_t / K\big).$$
#
# Several such steps in a row are one step of the same form. A character is still the original one
# with probability $\bar\alpha_t = \prod_{s \le t} (1 - \beta_s)$, plus its share of the uniform
# draws (eq. 12). In the library, time runs from 0 (data) to 1 (pure noise), and the *schedule* is
# the function $\bar\alpha_t$. Highlighted characters differ from the original.

# %%
import jax
import jax.numpy as jnp

from amd_jax import plotting
from amd_jax.data import stdlib_docs
from amd_jax.diffusion import kernels, schedules

data = stdlib_docs.load(length=256)
facts = data.facts
kernel = kernels.uniform(schedules.cosine, facts.num_classes)
original = jnp.asarray(data.rows("test")[4:5], jnp.int32)  # (1, 256)

times = {f"t = {t:.1f}": jnp.array([t]) for t in (0.0, 0.1, 0.3, 0.6, 1.0)}
rng = jax.random.key(SEED)
noisy = {title: kernels.corrupt(kernel, rng, original, t)[0] for title, t in times.items()}
plotting.text_table(facts, noisy, {title: x != original[0] for title, x in noisy.items()})

# %% [markdown]
# ## The model
#
# The reverse step follows from Bayes' rule. If the clean text $x_0$ were known, the step from
# $x_t$ to $x_{t-1}$ would have the distribution $q(x_{t-1} \mid x_t, x_0)$, which is a product of
# two known terms. It is not known, so a network predicts it: $\hat x_0 = \mu_\theta(x_t, t)$, a
# distribution over the 27 classes at each position, replaces $x_0$ (eq. 13):
#
# $$p_\theta(x_{t-1} \mid x_t) = q(x_{t-1} \mid x_t, \hat x_0)
# \;\propto\; q(x_t \mid x_{t-1}) \odot q(x_{t-1} \mid \hat x_0).$$
#
# An experiment in this library is one file with three functions. The last one, `build`, composes
# the model. The network `Hollow` reads the text on both sides of a position, but not the character
# at that position, so it cannot learn to copy it. The formula then multiplies in the evidence of
# the character itself.

# %%
import inspect

from IPython.display import Markdown

from amd_jax.experiments import quickstart

Markdown(f"```python\n{inspect.getsource(quickstart.build)}```")

# %% [markdown]
# ## Training
#
# `fit` trains in a folder and returns the run and its averaged parameters. It prints a line every
# 20 seconds. If you interrupt it and run the cell again, it continues from the last checkpoint,
# and ends with exactly the same parameters as an uninterrupted run.

# %%
from amd_jax import Experiment

experiment = Experiment.open(quickstart)
config = experiment.config()
num_devices = jax.device_count()
config.update(seed=SEED, num_steps=STEPS, batch_size=-(-BATCH // num_devices) * num_devices)
config.update(evaluate_every=max(1, STEPS // 5), evaluate_texts=EVALUATED)
run, params = experiment.fit(WORKDIR, config)

# %% [markdown]
# The training loss is the cross-entropy of the clean character, averaged over noise levels. The
# bound on validation texts is what is compared below; its bars are standard errors.

# %%
plotting.training_curve(WORKDIR)

# %% [markdown]
# ## Evaluation: bits per character
#
# A model of text is judged by the probability that it gives to new text. For a diffusion model
# there is a lower bound on this probability (section 4): a sum over the time steps, of which a few
# are sampled for each text:
#
# $$-\log p(x_0) \;\le\; \mathbb{E}_q\Big[ \sum_{t \ge 2} \mathrm{KL}\big(q(x_{t-1} \mid x_t, x_0)
# \,\|\, p_\theta(x_{t-1} \mid x_t)\big) - \log p_\theta(x_0 \mid x_1) \Big]
# + \mathrm{KL}\big(q(x_T \mid x_0) \,\|\, \tfrac1K\big).$$
#
# Divided by $256 \ln 2$, this is in bits per character: the size of the text after ideal
# compression. The baselines are n-gram models, which count how often each character followed the
# previous 0, 3 or 6 characters in the training text. Error bars are standard errors. After this
# short training, counts of order 3 and 6 still need fewer bits.

# %%
import math

from amd_jax.evaluation import count_models
from amd_jax.evaluation.reports import run_report

test, train = data.rows("test")[:EVALUATED], data.stream("train")
estimate, line = run_report.bits(run.model, params, data, split="test", number=EVALUATED)
print(line)

results = {"uniform": (math.log2(facts.num_classes), 0.0)}
for order in (0, 3, 6):
    counts = count_models.bits_per_char(train, test, facts.num_classes, order)
    results[f"counts of order {order}"] = counts
results["this diffusion model (upper bound)"] = (estimate.bits, estimate.error)
label = "bits per character of test text (lower is better)"
plotting.bars(results, label=label, highlight=["this diffusion model (upper bound)"])

# %% [markdown]
# ## Samples
#
# Sampling starts from noise and applies the reverse step repeatedly. The model was trained with
# 1000 steps; fewer, larger steps are faster and cost little quality. `model.sample` is a pure
# function of the parameters, a random key and a shape, and can be compiled with `jax.jit`.

# %%
sample = jax.jit(run.model.sample, static_argnums=(2, 3))
drawn = sample(params, jax.random.key(SEED), (SAMPLES, *facts.event_shape), SAMPLING_STEPS)
plotting.text_table(facts, {f"sample {i + 1}": x for i, x in enumerate(drawn)})

# %% [markdown]
# ## From noise to text
#
# Some states of one denoising chain. Highlighted characters differ from the state above. Where the
# noise happens to look like a word, the word appears early; later steps fit the text around it,
# and the last steps fix single letters.

# %%
shape = (1, *facts.event_shape)
plotting.text_chain(facts, run.model.walk(params, jax.random.key(SEED + 1), shape, FRAMES))

# %% [markdown]
# ## Correcting spelling errors
#
# A text with a few errors looks like a text at an early time of the noise process. So one call of
# the network corrects it: at each position take the class with the highest posterior probability,
#
# $$\hat x[n] = \arg\max_k \; \mu_\theta(x_t, t)[n, k] \cdot q(x_t[n] \mid x_0[n] = k).$$
#
# A character changes only if the text around it outweighs the character itself. The paper (section
# 5.3) takes $\arg\max \mu_\theta$ alone; that is the line "guess" below. `ERROR_RATE` sets the
# time $t$.

# %%
from amd_jax.evaluation import correction
from amd_jax.models.corrections import Correct

edit = Correct(error_rate=ERROR_RATE)
trial = correction.trial(edit, run.model, params, test, facts, SEED)
print(f"{trial.errors} of 256 characters replaced in each of {len(test)} texts:\n{trial}")

truth, damaged, restored = test[2], trial.damaged[2], trial.restored[2]
plotting.text_table(
    facts,
    {"damaged": damaged, "corrected": restored, "original": truth},
    {"damaged": damaged != truth, "corrected": restored != damaged, "original": restored != truth},
)

# %% [markdown]
# In the last row, highlighted characters are those that the model got wrong.
#
# Counts need fewer bits than this model, but correct worse. The formula works with counts in place
# of the network: each class is scored by its own probability and those of the 5 characters after
# it, each conditional on the 5 characters before. With the true error rate, counts change too many
# correct characters, since phrases that are new to them look like errors. The error rate 1e-05 is
# the best power of ten for validation texts: counts change fewer correct characters, but restore
# fewer errors. The model needs no such tuning.

# %%
from amd_jax.evaluation import means

corrected = {"no correction": trial.damaged}
for rate in (ERROR_RATE, 1e-5):
    by_counts = count_models.corrected(train, trial.damaged, facts.num_classes, 5, rate)
    corrected[f"counts, error rate {rate:g}"] = by_counts
corrected["this diffusion model"] = trial.restored

wrong = {name: means.of(100.0 * (rows != test).mean(axis=1)) for name, rows in corrected.items()}
label = "wrong characters after correction, % (lower is better)"
plotting.bars(wrong, label=label, highlight=["this diffusion model"])

# %% [markdown]
# Finally, a sentence of your own: `SENTENCE` in the settings. The model knows only 300 thousand
# characters of English, all of them about Python.

# %%
typed = facts.encode(stdlib_docs.normalize(SENTENCE))
fixed = correction.edited_text(edit, run.model, params, typed, length=256)
plotting.text_table(facts, {"typed": typed, "corrected": fixed}, {"corrected": fixed != typed})

# %% [markdown]
# ## Next steps
#
# - `change_one_thing.ipynb`: your own text, kernel, schedule and network; resuming a run.
# - `argmax_flows.ipynb`: the other half of the paper, normalising flows for classes.
# - `maps.ipynb`: the same diffusion model on segmentation maps.
# - `amd_jax.pretrained.load("wiki_text")`: a larger model that was trained for hours and comes
#   with the package.
