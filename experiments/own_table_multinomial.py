"""Multinomial diffusion on your own table, uniform noise of each column's own classes.

    python -m experiments.run --config=experiments/own_table_multinomial.py \
        --config.data.path=people.csv

As `own_table` in all but the noise: a cell is redrawn from all classes of its column (Hoogeboom et
al., 2021, sec. 4; of tables: Kotelnikov et al., 2023).
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
    config.timesteps, config.sampling_steps = 1000, 200
    config.network = dict(width=384, blocks=3, embedding=32, expansion=2, dropout=0.0)
    config.network.update(dtype="float32")
    config.optimizer = dict(learning_rate=1e-3, warmup_steps=100)
    return config


def data(config: ConfigDict) -> table.Table:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_table_multinomial needs a file. Give --config.data.path=people.csv")
    return table.load(**config.data)


def build(config: ConfigDict, facts: TableFacts) -> Parts:
    """Plain composition: to change a part, change its line."""
    columns = Columns.of(facts)
    kernel = kernels.uniform_within(schedules.cosine, columns.each(facts.num_classes))
    denoiser = networks.TableNet(
        facts.num_classes, facts.sizes, marginals=facts.marginals, **config.network
    )
    sampler = samplers.Ancestral(steps=config.sampling_steps)
    model = models.Diffusion(kernel, denoiser, config.timesteps, (sampler,), columns)
    optimizer = optimizers.adam(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.CrossEntropy(model), optimizer)
