"""Block diffusion on your own text file: any length, block by block (Arriola et al., 2025).

    python -m experiments.run --config=experiments/own_text_blocks.py --config.data.path=book.txt

A block is a masked diffusion given all tokens before it, in one network for blocks of several
sizes, which rows of a batch have in turn. In blocks of 1 it is an autoregressive model, and its
bits are exact. Samples have blocks of --config.block_size; --mode=evaluate --bound=elbo
--block_size=64 measures others. Each layer sees --config.network.context tokens before a block, so
that sampling needs the same memory and time for every block, however long the text; 0 for all. On
3 MB of Wikipedia text, 3000 steps: 2.160 ± 0.032 bits/char in blocks of 1, 2.383 ± 0.027 of 4.

--config=experiments/own_text_blocks.py:uniform has uniform noise in the blocks, :lstm carries the
state of an LSTM from block to block in place of keys and values, and :lstm,uniform does both.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import text
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import block_objectives, optimizers

NOISE = {"": kernels.absorbing, "uniform": kernels.uniform}
CARRIED = {"attention": networks.BlockTransformer, "lstm": networks.BlockLSTM}


def get_config(variant: str = "") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    chosen = set(filter(None, variant.split(",")))
    if not chosen <= {"uniform", "lstm"}:
        raise ValueError(f"Variants are :uniform, :lstm and :lstm,uniform; got :{variant}.")
    config = numbers(batch_size=8, num_steps=5000, clip=300.0, evaluate_every=500, log_every=50)
    config.data = dict(path="", length=256, raw_bytes=False, min_count=1)
    config.noise = "uniform" if "uniform" in chosen else ""
    config.carried = "lstm" if "lstm" in chosen else "attention"
    config.block_size = 4  # of what is reported and drawn
    config.block_sizes = (1, 4, 16, 64)  # trained
    config.sampling_steps = 16  # of a block, where they are not one a token
    config.network = dict(width=192, blocks=3, heads=6, dropout=0.0, dtype="float32", remat=False)
    of_carried = dict(layers=1) if "lstm" in chosen else dict(taps=4, context=128)
    config.network.update(of_carried)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> text.Text:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_text_blocks needs a file. Give --config.data.path=book.txt")
    return text.load(**config.data)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    kernel = NOISE[config.noise](schedules.linear, facts.num_classes)
    states = len(kernel.prior)
    frequencies = (*facts.log_frequencies, 0.0)[:states]  # that of a mask is never guessed
    network = CARRIED[config.carried](
        states, log_frequencies=frequencies, sees_time=config.noise != "", **config.network
    )
    ways = samplers.FirstHitting(), samplers.Ancestral(steps=config.sampling_steps)
    model = models.BlockDiffusion(kernel, network, config.block_size, ways)
    objective = block_objectives.MixedBlocks(model, config.block_sizes)
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objective, optimizer)
