"""An argmax flow on your own table: cells are lifted to numbers, and those have a density.

    python -m experiments.run --config=experiments/own_table_argmax.py \
        --config.data.path=people.csv

A cell is the argmax of as many numbers as its field has classes (Hoogeboom et al., 2021, sec. 3).
Fields have 8 classes at most here, so larger columns are digits; the bits stay comparable.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import table
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import TableFacts
from amd_jax.learning import objectives, optimizers
from amd_jax.ops import scalars
from amd_jax.ops.columns import Columns
from amd_jax.transforms import argmax, autoregressive, laws


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=64, num_steps=9000, clip=1000.0, ema_decay=0.999)
    config.update(checkpoint_every=1000, evaluate_every=500, evaluate_texts=1000, log_every=100)
    config.data = dict(path="", columns="", test_path="", max_classes=8, missing="")
    config.data.update(header="", delimiter="", encoding="")
    config.network = dict(features=192, layers=1, components=4)
    config.network.update(dtype="float32")
    config.encoder = dict(width=64)
    config.optimizer = dict(learning_rate=3e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> table.Table:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_table_argmax needs a file. Give --config.data.path=people.csv")
    return table.load(**config.data)


def build(config: ConfigDict, facts: TableFacts) -> Parts:
    """Plain composition: to change a part, change its line."""
    columns, classes = Columns.of(facts), facts.num_classes
    encoder = networks.FieldContext(facts.sizes, 2 * classes, **config.encoder)
    lift = argmax.Argmax(laws.Conditional(laws.NORMAL, encoder, event=(classes,)), columns)
    network = networks.AutoregressiveLSTM(**config.network)
    mixture = scalars.LogisticMixture(network.components)
    layer = autoregressive.Autoregressive(network, mixture)
    model = models.Flow((lift, layer), laws.Learned(laws.NORMAL))
    optimizer = optimizers.adam(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
