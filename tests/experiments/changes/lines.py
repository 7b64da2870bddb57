"""A data set of one's own: lines of different lengths, such as SMILES, each filled up to one."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import optax

from amd_jax import models, networks
from amd_jax.data.dataset import epoch_rows
from amd_jax.diffusion import kernels, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import TextFacts
from amd_jax.learning import objectives


@dataclasses.dataclass(frozen=True, eq=False)
class Lines:
    path: str
    length: int

    splits = ("train", "test")

    @functools.cached_property
    def lines(self):
        return [line[: self.length] for line in Path(self.path).read_text().splitlines()]

    @functools.cached_property
    def facts(self):
        alphabet = "".join(sorted({"\n", *"".join(self.lines)}))
        shape, name = (self.length,), Path(self.path).name
        return TextFacts(
            len(alphabet), shape, name, alphabet=alphabet, padding=alphabet.index("\n")
        )

    def rows(self, split):
        cut = len(self.lines) * 9 // 10
        some = self.lines[:cut] if split == "train" else self.lines[cut:]
        rows = [self.facts.encode(line.ljust(self.length, "\n")) for line in some]
        return np.array(rows, np.uint8)

    def batch(self, seed, step, batch_size):
        rows = self.rows("train")
        return rows[epoch_rows(seed, step, batch_size, len(rows))]


def get_config():
    config = numbers(batch_size=2, num_steps=3, log_every=1, evaluate_every=1)
    config.path = ""
    config.network = dict(width=8, blocks=1, join_width=8)
    return config


def data(config):
    return Lines(config.path, length=12)


def build(config, facts):
    kernel = kernels.uniform(schedules.cosine, facts.num_classes)
    denoiser = networks.Hollow(facts.num_classes, **config.network)
    model = models.Diffusion(kernel, denoiser, steps=4)
    return Parts(model, objectives.NegativeElbo(model), optax.adam(1e-3))
