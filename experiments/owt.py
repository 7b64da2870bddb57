"""OpenWebText and LM1B in the setting of MDLM (Sahoo et al., 2024), by masked diffusion.

    python -m experiments.to_tokens train/*.parquet --tokens=gpt2.json --output=owt/train
    --end="<|endoftext|>"
    python -m experiments.to_tokens test/*.parquet --tokens=gpt2.json --output=owt/test
    --end="<|endoftext|>"
    python -m experiments.run --config=experiments/owt.py --config.data.tokens=gpt2.json

owt.py:uniform is uniform noise trained on the bound, as duo_base.yaml of Duo's code (Sahoo et al.,
2025), and owt.py:autoregressive a causal Transformer, as MDLM's small-ar.yaml. With ,lm1b after
the model (owt.py:masked,lm1b) they are of LM1B, of lm1b/train and lm1b/test, which the
tokenizer.json of bert-base-uncased cuts, with --end="[SEP]". This file: not run.

The numbers are in MDLM's code (config.yaml, small.yaml, constant_warmup.yaml, the data's .yaml
and the scripts): 12 layers of width 768, 12 heads, dropout 0.1; a million steps of 512 rows in
bfloat16; Adam, 3e-4 after 2500 steps of warm-up, a token's gradient clipped at 1, averages of
0.9999; α = 1 - t in continuous time. A row is 1024 of GPT-2's tokens, or 128 of BERT's. The test
of OpenWebText is its last 100,000 documents. SEDD (Lou et al., 2024) has the same network, batch
and optimizer for 1.3 million steps. MD4 (Shi et al., 2024) has layers, width and batch in common,
but dropout 0.02, weight decay 0.03 and a cosine of the learning rate.

Different here: the network sees the time, as MD4's does; rows do not begin and end with a token of
their own; and rows of LM1B cross sentences, as in Duo's lm1b-wrap.yaml, where MDLM pads each one.

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

MODELS = ("masked", "uniform", "autoregressive")
SIZES = {"owt": (1024, 50_257), "lm1b": (128, 30_522)}  # tokens of a row, and of the vocabulary


def get_config(chosen: str = "masked") -> ConfigDict:
    """MDLM's numbers; everything here can be overridden from the command line."""
    model, _, corpus = chosen.partition(",")
    corpus = corpus or "owt"
    if model not in MODELS or corpus not in SIZES:
        raise ValueError(
            f"A model is one of {', '.join(MODELS)}, and a corpus after it, as in masked,lm1b, "
            f"one of {', '.join(SIZES)}; got {chosen!r}."
        )
    length, vocab_size = SIZES[corpus]
    clip = 1.0 * length  # theirs is 1 for the loss of a token, ours of a row
    config = numbers(batch_size=512, num_steps=1_000_000, clip=clip, ema_decay=0.9999, **LONG)
    config.data = dict(path=f"{corpus}/train", test_path=f"{corpus}/test", length=length)
    config.data.update(dtype="uint16", vocab_size=vocab_size, tokens="")
    config.model = model
    config.sampling_steps = 1000  # of a diffusion
    config.network = dict(width=768, blocks=12, heads=12, dropout=0.1)
    config.network.update(dtype="bfloat16", remat=False, tied=False)
    config.optimizer = dict(learning_rate=3e-4, warmup_steps=2500)
    return config


def data(config: ConfigDict) -> token_files.TokenFiles:
    """What is learnt from; sampling does without."""
    return token_files.load(**config.data)


def build(config: ConfigDict, facts: TokenFacts) -> Parts:
    """The model that the config names, of the same size."""
    rate = optimizers.rise(config.optimizer.learning_rate, config.optimizer.warmup_steps)
    optimizer = optimizers.scheduled(optax.adam, rate)
    if config.model == "autoregressive":
        causal = models.Autoregressive(
            networks.CausalTransformer(facts.num_classes, **config.network)
        )
        return Parts(causal, objectives.NegativeElbo(causal), optimizer)
    noise = kernels.uniform if config.model == "uniform" else kernels.absorbing
    kernel = noise(schedules.linear, facts.num_classes)
    denoiser = networks.Transformer(len(kernel.prior), **config.network)
    sampler = samplers.Ancestral(steps=config.sampling_steps)
    model = models.Diffusion(kernel, denoiser, steps=None, samplers=(sampler,))
    return Parts(model, objectives.NegativeElbo(model), optimizer)
