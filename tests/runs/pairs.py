"""An experiment of a second: what the tests of the training loop run."""

import os
import signal
import sys
import threading
import time

import optax
from ml_collections import ConfigDict

from amd_jax import models
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives
from tests import zoo


def get_config() -> ConfigDict:
    config = numbers(batch_size=8, num_steps=12, ema_decay=0.9, checkpoint_every=4, log_every=1)
    config.sizes = (1, 2)
    return config


class Deadly(zoo.Pairs):
    """Sends this process the signal DEADLY_SIGNAL when batch DEADLY_STEP is waited for."""

    def batch(self, seed, step, batch_size):
        if step == int(os.environ.get("DEADLY_STEP", -1)):
            while threading.current_thread() is not threading.main_thread() and not waits():
                time.sleep(0.01)  # the batch is made ahead
            os.kill(os.getpid(), getattr(signal, os.environ["DEADLY_SIGNAL"]))
        return super().batch(seed, step, batch_size)


def waits():
    """Whether the main thread waits for what another one makes."""
    frame = sys._current_frames()[threading.main_thread().ident]
    while frame is not None and frame.f_code.co_name != "wait":
        frame = frame.f_back
    return frame is not None


def data(config: ConfigDict) -> Deadly:
    return Deadly()


def build(config: ConfigDict, facts: Facts) -> Parts:
    model = models.Diffusion(zoo.KERNELS["uniform-cosine"], zoo.HollowTable(3), steps=5)
    return Parts(model, objectives.ImportanceSampledElbo(model), optax.adam(1e-2))
