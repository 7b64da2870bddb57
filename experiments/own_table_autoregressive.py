"""An autoregressive Transformer on your own table: exact bits per row, column after column.

    python -m experiments.run --config=experiments/own_table_autoregressive.py \
        --config.data.path=people.csv

Each field given those before it, in the order of the file; the bits are exact.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import table
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import TableFacts
from amd_jax.learning import objectives, optimizers
from amd_jax.ops.columns import Columns


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=128, num_steps=4000, clip=1.0, ema_decay=0.999)
    config.update(checkpoint_every=1000, evaluate_every=500, evaluate_texts=1000, log_every=100)
    config.data = dict(path="", columns="", test_path="", max_classes=128, missing="")
    config.data.update(header="", delimiter="", encoding="")
    config.network = dict(width=128, blocks=3, heads=4, expansion=2, dropout=0.1)
    config.network.update(dtype="float32")
    config.optimizer = dict(learning_rate=1e-3, warmup_steps=100)
    return config


def data(config: ConfigDict) -> table.Table:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError(
            "own_table_autoregressive needs a file. Give --config.data.path=people.csv"
        )
    return table.load(**config.data)


def build(config: ConfigDict, facts: TableFacts) -> Parts:
    """Plain composition: to change a part, change its line."""
    columns = Columns.of(facts)
    network = networks.CausalTable(
        facts.num_classes, facts.sizes, marginals=facts.marginals, **config.network
    )
    model = models.Autoregressive(network, support=columns)
    optimizer = optimizers.adam(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
