"""Lines of any length by insertion: a diffusion that drops and inserts characters.

    python -m experiments.run --config=experiments/own_lines_insertion.py \
        --config.data.path=molecules.smi

No length is drawn first: a line grows from nothing, masks are inserted in its gaps and become
characters (after FlexMDM; Kim et al., 2025). The bound integrates out which character came from
where, so that it is tight for a perfect network. For lines without labels.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import lines
from amd_jax.diffusion.insertion import samplers
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import LineFacts
from amd_jax.learning import objectives, optimizers


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=64, num_steps=5000, clip=1.0, ema_decay=0.999)
    config.update(checkpoint_every=1000, evaluate_every=500, evaluate_texts=1000, log_every=50)
    config.data = dict(path="", length=0, column="", longer="drop", min_count=1)
    config.data.update(validity="", test_path="", tokens="")
    config.sampling_steps = 128
    config.network = dict(width=160, blocks=3, heads=4, taps=3, dropout=0.0)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> lines.Lines:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_lines_insertion needs a file. Give --config.data.path=molecules.smi")
    return lines.load(**config.data)


def build(config: ConfigDict, facts: LineFacts) -> Parts:
    """Plain composition: to change a part, change its line."""
    tokens = len(facts.symbols)
    frequencies = (*facts.log_frequencies[:tokens], *(0.0,) * 3)  # others are never guessed
    denoiser = networks.Transformer(tokens + 3, log_frequencies=frequencies, **config.network)
    sampler = samplers.TauLeaping(steps=config.sampling_steps)
    model = models.Insertion(networks.InsertionNet(denoiser, tokens), tokens, (sampler,))
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
