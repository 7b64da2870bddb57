"""Masked diffusion on your own files of tokens: nanoGPT's .bin, .npy, Megatron's .bin with .idx.

    python -m experiments.run --config=experiments/own_tokens.py --config.data.path=train.bin
    --config.data.vocab_size=50257 --config.data.tokens=tokenizer.json

A folder or a pattern is several shards. Files are never read whole. After a colon may stand
another model of the same tokens: own_tokens.py:uniform is multinomial diffusion,
own_tokens.py:autoregressive a causal Transformer. --config.data.documents=apart gives each row one
document, whose length is drawn first. Samples are text with a tokenizer, and numbers without one.
This file: not run on a whole corpus.
"""

import numpy as np
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import token_files
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import TokenFacts
from amd_jax.learning import objectives, optimizers
from amd_jax.ops.lines import Lines

MODELS = ("masks", "uniform", "autoregressive")


def get_config(model: str = "masks") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    if model not in MODELS:
        raise ValueError(f"A model of tokens is one of {', '.join(MODELS)}; got {model!r}.")
    config = numbers(batch_size=8, num_steps=20_000, clip=1.0, ema_decay=0.999)
    config.update(checkpoint_every=1000, evaluate_every=1000, evaluate_texts=64, log_every=50)
    config.data = dict(path="", length=256, dtype="uint16", vocab_size=0, tokens="", test_path="")
    config.data.documents = "cross"  # rows cross ends of documents; or "apart"
    config.model = model
    config.sampling_steps = 256  # of a diffusion
    config.network = dict(width=256, blocks=4, heads=8, taps=1, dropout=0.0)
    config.network.update(dtype="float32", remat=False, tied=False)
    config.optimizer = dict(matrices=0.02, others=3e-3, warmup_steps=100)
    return config


def data(config: ConfigDict) -> token_files.TokenFiles:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_tokens needs a file. Give --config.data.path=train.bin")
    return token_files.load(**config.data)


def build(config: ConfigDict, facts: TokenFacts) -> Parts:
    """The model that the config names, on the same Transformer."""
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    support = None
    if facts.length_frequencies:  # rows are documents, and padding is one more class
        support = Lines(facts.classes, facts.length_frequencies)
    if config.model == "autoregressive":
        network = networks.CausalTransformer(
            facts.num_classes, log_frequencies=facts.log_frequencies, **config.network
        )
        causal = models.Autoregressive(network, support=support)
        return Parts(causal, objectives.NegativeElbo(causal), optimizer)
    kernel, warp = kernels.absorbing(schedules.linear, facts.num_classes), lambda u: u
    if config.model == "uniform":
        tokens = np.arange(facts.num_classes) < facts.classes
        kernel, warp = kernels.uniform_within(schedules.cosine, tokens), objectives.mostly_early
    states = len(kernel.prior)
    frequencies = (*facts.log_frequencies, 0.0)[:states]  # that of a mask is never guessed
    denoiser = networks.Transformer(states, log_frequencies=frequencies, **config.network)
    sampler = samplers.Ancestral(steps=config.sampling_steps)
    model = models.Diffusion(kernel, denoiser, steps=None, samplers=(sampler,), support=support)
    return Parts(model, objectives.CrossEntropy(model, warp=warp), optimizer)
