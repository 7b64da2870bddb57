"""An autoregressive Transformer on your own lines of any length: exact bits, from left to right.

    python -m experiments.run --config=experiments/own_lines_autoregressive.py \
        --config.data.path=molecules.smi

Each character given those before it; the padding is the symbol that ends a line.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import lines
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import LineFacts
from amd_jax.learning import objectives, optimizers
from amd_jax.ops.lines import Lines


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=32, num_steps=4000, clip=1.0, ema_decay=0.999)
    config.update(checkpoint_every=1000, evaluate_every=500, evaluate_texts=1000, log_every=50)
    config.data = dict(path="", length=0, column="", label="", longer="drop", min_count=1)
    config.data.update(validity="", test_path="", tokens="")
    config.network = dict(width=160, blocks=3, heads=4, taps=4, dropout=0.0)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> lines.Lines:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError(
            "own_lines_autoregressive needs a file. Give --config.data.path=molecules.smi"
        )
    return lines.load(**config.data)


def build(config: ConfigDict, facts: LineFacts) -> Parts:
    """Plain composition: to change a part, change its line."""
    network = networks.CausalTransformer(
        facts.num_classes, log_frequencies=facts.log_frequencies, **config.network
    )
    model = models.Autoregressive(network, support=Lines.of(facts))
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
