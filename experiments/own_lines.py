"""Masked diffusion on your own lines of any length: molecules, proteins, names.

    python -m experiments.run --config=experiments/own_lines.py --config.data.path=molecules.smi

Plain lines, .smi, FASTA or a column of a CSV (also packed); --config.data.label=class learns a
label beside each line. The length of a line is drawn first; then a token becomes a mask, and is
revealed given all that is known (Shi et al., 2024). Most of a batch is learnt from left to right:
--order=left gives exact bits in that order, and --sampler=confidence --by=left samples in it.

The same lines by other models: own_lines_multinomial, own_lines_argmax, own_lines_autoregressive,
own_lines_insertion.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import lines
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import LineFacts
from amd_jax.learning import objectives, optimizers
from amd_jax.ops.lines import Lines


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=32, num_steps=4000, clip=1.0, ema_decay=0.999)
    config.update(checkpoint_every=1000, evaluate_every=500, evaluate_texts=1000, log_every=50)
    config.in_order = 0.7  # the share of a batch that is learnt from left to right
    config.label_dropout = 0.2  # of those, the share whose label is hidden: for --guidance
    config.data = dict(path="", length=0, column="", label="", longer="drop", min_count=1)
    config.data.update(validity="", test_path="", tokens="")
    config.network = dict(width=128, blocks=3, dilations=(1, 2, 4), heads=4, join_width=160)
    config.network.update(
        attend=(0, 1, 2), sees_time=False, dropout=0.0, dtype="float32", remat=False
    )
    config.optimizer = dict(matrices=0.02, others=4e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> lines.Lines:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_lines needs a file. Give --config.data.path=molecules.smi")
    return lines.load(**config.data)


def build(config: ConfigDict, facts: LineFacts) -> Parts:
    """Plain composition: to change a part, change its line."""
    support = Lines.of(facts)
    kernel = kernels.absorbing(schedules.linear, facts.num_classes)
    frequencies = (*facts.log_frequencies, 0.0)  # that of the mask is never guessed
    denoiser = networks.Hollow(len(kernel.prior), log_frequencies=frequencies, **config.network)
    one_by_one = (samplers.FirstHitting(),)
    model = models.Diffusion(kernel, denoiser, None, one_by_one, support)
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    hidden = None
    if facts.labels and config.in_order:
        hidden = objectives.first_hidden(config.label_dropout)
    objective = objectives.CrossEntropy(model, in_order=config.in_order, hidden=hidden)
    return Parts(model, objective, optimizer)
