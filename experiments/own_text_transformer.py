"""A causal Transformer on your own text file.

    python -m experiments.run --config=experiments/own_text_transformer.py
    --config.data.path=book.txt

The alphabet is read from the file; --config.data.raw_bytes takes its bytes instead. The split is
90/5/5 in order. On 3 MB of Wikipedia text, 29 minutes of one CPU core: 1.811 bits/char
of test text.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import text
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=8, num_steps=5000, clip=300.0, evaluate_every=500, log_every=50)
    config.data = dict(path="", length=256, raw_bytes=False, min_count=1)
    config.network = dict(width=192, blocks=3, heads=6, taps=4, dropout=0.0)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> text.Text:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("This experiment needs a file. Give --config.data.path=book.txt")
    return text.load(**config.data)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    network = networks.CausalTransformer(
        facts.num_classes, log_frequencies=facts.log_frequencies, **config.network
    )
    model = models.Autoregressive(network)
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
