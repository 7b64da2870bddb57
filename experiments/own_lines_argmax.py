"""An argmax flow on your own lines of any length: characters are lifted to numbers with a density.

    python -m experiments.run --config=experiments/own_lines_argmax.py \
        --config.data.path=molecules.smi

A character is the argmax of as many numbers as there are characters and a symbol for the end
(Hoogeboom et al., 2021, sec. 3). Numbers after the end are no part of the density.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import lines
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import LineFacts
from amd_jax.learning import objectives, optimizers
from amd_jax.ops import scalars
from amd_jax.ops.lines import Lines
from amd_jax.transforms import argmax, autoregressive, laws


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=32, num_steps=4000, clip=1000.0, ema_decay=0.999)
    config.update(checkpoint_every=1000, evaluate_every=500, evaluate_texts=1000, log_every=50)
    config.data = dict(path="", length=0, column="", label="", longer="drop", min_count=1)
    config.data.update(validity="", test_path="", tokens="")
    config.network = dict(features=192, layers=1, components=4)
    config.network.update(dtype="float32")
    config.encoder = dict(width=64, context=64)
    config.optimizer = dict(learning_rate=3e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> lines.Lines:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_lines_argmax needs a file. Give --config.data.path=molecules.smi")
    return lines.load(**config.data)


def build(config: ConfigDict, facts: LineFacts) -> Parts:
    """Plain composition: to change a part, change its line."""
    support, classes = Lines.of(facts), facts.num_classes
    encoder = networks.ContextLSTM(classes, 2 * classes, **config.encoder)
    encoder = laws.Conditional(laws.NORMAL, encoder, event=(classes,), support=support)
    lift = argmax.Argmax(encoder, support)
    network = networks.AutoregressiveLSTM(**config.network)
    layer = autoregressive.Autoregressive(network, scalars.LogisticMixture(network.components))
    model = models.Flow((lift,), autoregressive.UpToEnd(layer, laws.NORMAL, support))
    optimizer = optimizers.adam(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
