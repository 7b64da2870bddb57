"""Multinomial diffusion of OpenWebText and LM1B in the setting of UDLM (Schiff et al., 2025).

    python -m experiments.run --config=experiments/owt_uniform.py
    python -m experiments.run --config=experiments/owt_uniform.py:lm1b

Uniform noise in place of the masks of owt_masked, whose docstring says how to make the files and
where its numbers are from. The code of Duo (Sahoo et al., 2025) has the same numbers; its
duo_base.yaml is uniform noise trained on the bound, as here. Duo itself spends the first half of
its steps on relaxed tokens, which is not here. This file: not run.

A smaller one, for a CPU: add --config.network.width=128 --config.network.blocks=2
--config.network.heads=4 --config.data.length=128 --config.batch_size=8 --config.num_steps=200
--num_texts=64 --steps=50
"""

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import token_files
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import TokenFacts
from amd_jax.learning import objectives, optimizers

SIZES = {"owt": (1024, 50_257), "lm1b": (128, 30_522)}  # tokens of a row, and of the vocabulary


def get_config(corpus: str = "owt") -> ConfigDict:
    """The numbers of owt_masked; everything here can be overridden from the command line."""
    if corpus not in SIZES:
        raise ValueError(f"A corpus of tokens is one of {', '.join(SIZES)}; got {corpus!r}.")
    length, vocab_size = SIZES[corpus]
    clip = 1.0 * length  # theirs is 1 for the loss of a token, ours of a row
    config = numbers(batch_size=512, num_steps=1_000_000, clip=clip, ema_decay=0.9999, **LONG)
    config.data = dict(path=f"{corpus}/train", test_path=f"{corpus}/test", length=length)
    config.data.update(dtype="uint16", vocab_size=vocab_size, tokens="")
    config.sampling_steps = 1000
    config.network = dict(width=768, blocks=12, heads=12, dropout=0.1)
    config.network.update(dtype="bfloat16", remat=False)
    config.optimizer = dict(learning_rate=3e-4, warmup_steps=2500)
    return config


def data(config: ConfigDict) -> token_files.TokenFiles:
    """What is learnt from; sampling does without."""
    return token_files.load(**config.data)


def build(config: ConfigDict, facts: TokenFacts) -> Parts:
    """Plain composition: to change a part, change its line."""
    kernel = kernels.uniform(schedules.linear, facts.num_classes)
    denoiser = networks.Transformer(facts.num_classes, **config.network)
    sampler = samplers.Ancestral(steps=config.sampling_steps)
    model = models.Diffusion(kernel, denoiser, steps=None, samplers=(sampler,))
    rate = optimizers.rise(config.optimizer.learning_rate, config.optimizer.warmup_steps)
    optimizer = optimizers.scheduled(optax.adam, rate)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
