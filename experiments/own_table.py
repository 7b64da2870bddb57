"""Masked diffusion on your own table: exact or bounded bits per row, synthetic rows, filled gaps.

    python -m experiments.run --config=experiments/own_table.py --config.data.path=people.csv

CSV (also packed), Parquet or Arrow. The kind of each column is found and printed with the reason;
--config.data.columns="age:integer,zip:categorical,id:drop" overrides it. A cell becomes a mask,
and is revealed given all that is known: one network for every condition (Shi et al., 2024;
Hoogeboom et al., 2022). So it scores, fills and conditions:

    python -m experiments.run --config=own_table --mode=sample --given="income=>50K,age=30..40"
    python -m experiments.run --config=own_table --mode=infill --input=gaps.csv
    python -m experiments.run --config=own_table --mode=score --input=new.csv

The same table by other models: own_table_multinomial, own_table_argmax, own_table_autoregressive.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import table
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import TableFacts
from amd_jax.learning import objectives, optimizers
from amd_jax.ops.columns import Columns


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=256, num_steps=4000, clip=1.0, ema_decay=0.999)
    config.update(checkpoint_every=1000, evaluate_every=500, evaluate_texts=1000, log_every=100)
    config.data = dict(path="", columns="", test_path="", max_classes=128, missing="")
    config.data.update(header="", delimiter="", encoding="")
    config.network = dict(width=384, blocks=3, embedding=32, expansion=2, dropout=0.2)
    config.network.update(dtype="float32")
    config.optimizer = dict(learning_rate=1e-3, warmup_steps=100)
    return config


def data(config: ConfigDict) -> table.Table:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_table needs a file. Give --config.data.path=people.csv")
    return table.load(**config.data)


def build(config: ConfigDict, facts: TableFacts) -> Parts:
    """Plain composition: to change a part, change its line."""
    columns = Columns.of(facts)
    kernel = kernels.absorbing(schedules.linear, facts.num_classes)
    denoiser = networks.TableNet(
        facts.num_classes + 1,
        facts.sizes,
        marginals=facts.marginals,
        sees_time=False,
        **config.network,
    )
    one_by_one = (samplers.FirstHitting(),)
    model = models.Diffusion(kernel, denoiser, None, one_by_one, columns)
    optimizer = optimizers.adam(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.CrossEntropy(model), optimizer)
