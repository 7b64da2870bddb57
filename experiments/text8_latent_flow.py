"""Latent flow of sequences on text8 and enwik8 (Ziegler and Rush, 2019): AF/AF and IAF/SCF.

    python -m experiments.run --config=experiments/text8_latent_flow.py
    python -m experiments.run --config=experiments/text8_latent_flow.py:enwik8

A variational auto-encoder with a flow over time as its prior: --config.kind=af_af, af_scf, or
iaf_scf (with --config.network.flows=3). Hoogeboom et al., 2021, ran the released code anew: AF/AF
has 1.62 bits/char on the test split of text8 and 1.72 bits/byte on that of enwik8, IAF/SCF 1.88
and 2.03. This file: not run.

Sizes, learning rate and the warm-up of the KL are those of the released code for characters,
which also has batches of 15, dropout 0.2 in the prior of AF/AF, 10 draws of z for each text and a
learning rate that is quartered on a plateau, for 100 epochs at most. Its couplings train with a
term of the gradient missing, ours with all of it.

A smaller one, for a CPU: add --config.network.width=96 --config.network.latents=8
--config.network.flows=2 --config.num_steps=200 --num_texts=64
"""

import optax
from ml_collections import ConfigDict

from amd_jax import recipes
from amd_jax.data import corpora
from amd_jax.data.text import Text
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import latent_objectives, optimizers

LENGTHS = {"text8": 256, "enwik8": 320}


def get_config(corpus: str = "text8") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    corpora.named(corpus)
    rows = corpora.TRAIN // LENGTHS[corpus]
    clip = 0.25 * LENGTHS[corpus]  # theirs is 0.25 for the gradient of nats per character
    config = numbers(batch_size=16, num_steps=40 * rows // 16, clip=clip, **LONG)
    config.data = dict(corpus=corpus, length=LENGTHS[corpus], rows=rows)
    config.kind = "af_af"
    config.network = dict(latents=50, width=500, layers=2, flows=5, hidden=100)
    config.kl = dict(epochs_without=4.0, epochs_rising=10.0)
    config.optimizer = dict(learning_rate=1e-3)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return corpora.named(config.data.corpus).load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of the flow are in `amd_jax/recipes/baselines.py`."""
    (length,) = facts.event_shape
    model = recipes.latent_flow(config.kind, facts.num_classes, length, config.network)
    without, rising = (
        round(config.kl[name] * config.data.rows) for name in ("epochs_without", "epochs_rising")
    )
    objective = latent_objectives.WarmedElbo(model, without, rising)
    rate = optax.constant_schedule(config.optimizer.learning_rate)
    return Parts(model, objective, optimizers.scheduled(optax.adam, rate))
