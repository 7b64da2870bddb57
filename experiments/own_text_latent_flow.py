"""Latent flow of sequences on your own text file (Ziegler and Rush, 2019).

    python -m experiments.run --config=own_text_latent_flow --config.data.path=book.txt

A variational auto-encoder with a flow over time as its prior, which samples step by step (af_af);
with own_text_latent_flow.py:iaf_scf one that trains step by step and samples at once, or af_scf.
The alphabet is read from the file; --config.data.raw_bytes takes its bytes instead. The split is
90/5/5 in order. On 3 MB of Wikipedia text, 26 minutes of one CPU core: 2.846
bits/char of test text.
"""

from ml_collections import ConfigDict

from amd_jax import recipes
from amd_jax.data import text
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import latent_objectives, optimizers


def get_config(kind: str = "af_af") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=16, num_steps=3000, clip=64.0, evaluate_every=500, log_every=50)
    config.data = dict(path="", length=128, raw_bytes=False, min_count=1)
    config.kind = kind
    config.network = dict(latents=16, width=128, layers=1, flows=2, hidden=64)
    config.kl = dict(rows_without=2000, rows_rising=8000)
    config.optimizer = dict(learning_rate=4e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> text.Text:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_text_latent_flow needs a file. Give --config.data.path=book.txt")
    return text.load(**config.data)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of the flow are in `amd_jax/recipes/baselines.py`."""
    (length,) = facts.event_shape
    model = recipes.latent_flow(config.kind, facts.num_classes, length, config.network)
    without, rising = config.kl.rows_without, config.kl.rows_rising
    objective = latent_objectives.WarmedElbo(model, without, rising)
    optimizer = optimizers.adam(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objective, optimizer)
