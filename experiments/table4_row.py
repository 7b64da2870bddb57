"""One row of the paper's table on segmentation maps, at a size for two CPU cores.

    python -m experiments.run --config=experiments/table4_row.py --config.row=softplus

Rows: softplus, gumbel, gumbel_threshold (argmax flows), uniform, variational (dequantisation) and
diffusion. Maps: streets (embedded), cityscapes, or a folder or file of your own. All rows with one
command: `python -m experiments.table4`. Hoogeboom et al., 2021, sec. 5.
"""

import functools

import numpy as np
import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import cityscapes, maps, scenes
from amd_jax.diffusion import kernels, schedules
from amd_jax.ops import scalars
from amd_jax.training import objectives, optimizers
from amd_jax.training.experiment import Experiment, numbers
from amd_jax.transforms import argmax, conditional, dequantize, elementwise, laws, multiscale

AFFINE = scalars.Affine(bound=2.0)


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=8, num_steps=1000, clip=1000.0, checkpoint_every=200)
    config.data = "streets"
    config.row = "softplus"
    config.levels, config.couplings = 3, 4  # of the density: resolutions, and layers at each
    config.network = dict(blocks=1, growth=32, depth=3, width=64)  # of its couplings
    config.network.update(dtype="float32", remat=False)
    config.encoder = dict(couplings=3, context=16)
    config.encoder.network = dict(blocks=1, growth=16, depth=2, width=32)
    config.flow_optimizer = dict(learning_rate=1e-3, warmup_steps=50)
    config.timesteps = 1000  # T, the number of diffusion steps
    config.denoiser = dict(width=64, dilations=(1, 2), join_width=96)
    config.denoiser.update(dtype="float32", remat=False)
    config.diffusion_optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    config.diffusion_clip = 1.0
    return config


def build(config: ConfigDict) -> Experiment:
    """The row that the config names, on the maps that it names."""
    own = {"streets": scenes.streets, "cityscapes": cityscapes.load}
    data = own[config.data]() if config.data in own else maps.load(config.data)
    return compose(config, data)


def compose(config: ConfigDict, data: maps.Maps) -> Experiment:
    """Plain composition: to change a part, change its line."""
    if config.row == "diffusion":
        return diffusion(config, data)
    model = models.Flow((*lift(config, data), *density(config, data)), laws.Learned(laws.NORMAL))
    optimizer = optimizers.adam(**config.flow_optimizer, num_steps=config.num_steps)
    return Experiment(model, objectives.NegativeElbo(model), optimizer, data)


def diffusion(config: ConfigDict, data: maps.Maps) -> Experiment:
    """Multinomial diffusion, with the network that leaves the own pixel out."""
    frequencies = tuple(np.log(data.frequencies()).tolist())
    denoiser = networks.HollowMap(data.num_classes, log_frequencies=frequencies, **config.denoiser)
    kernel = kernels.uniform(schedules.cosine, data.num_classes)
    model = models.Diffusion(kernel, denoiser, steps=config.timesteps)
    muon = optimizers.muon(**config.diffusion_optimizer, num_steps=config.num_steps)
    optimizer = optax.chain(optax.clip_by_global_norm(config.diffusion_clip), muon)
    objective = objectives.CrossEntropy(model, warp=objectives.mostly_early)
    return Experiment(model, objective, optimizer, data)


def lift(config: ConfigDict, data: maps.Maps) -> tuple:
    """The transforms from categories to numbers (B, H, W, channels)."""
    k, log_frequencies = data.num_classes, tuple(np.log(data.frequencies()).tolist())
    phi = networks.MapContext(k, dense(config.encoder)(k), start=log_frequencies)
    rows = {
        "softplus": lambda: (argmax.Argmax(encoder(config, k, laws.NORMAL, (k,))),),
        "gumbel": lambda: (argmax.GumbelArgmax(k, phi),),
        "gumbel_threshold": lambda: (
            argmax.GumbelThreshold(
                encoder(config, k, laws.LOGISTIC, (k,)), np.array(log_frequencies)
            ),
        ),
        "uniform": lambda: (dequantize.Uniform(k), elementwise.Merge(())),
        "variational": lambda: (
            dequantize.Variational(k, encoder(config, k, laws.LOGISTIC, ())),
            elementwise.Merge(()),
        ),
    }
    if config.row not in rows:
        raise ValueError(f"A row is one of {', '.join([*rows, 'diffusion'])}; got {config.row!r}.")
    return rows[config.row]()


def encoder(config: ConfigDict, num_classes: int, family: laws.Family, event: tuple):
    """q(u | x): couplings that read features of the map."""
    sizes = config.encoder
    features = networks.MapContext(num_classes, dense(sizes)(sizes.context))
    noise, parts = laws.Fixed(family), (sizes.couplings, dense(sizes), AFFINE)
    return conditional.couplings(noise, features, sizes.context, event, *parts)


def density(config: ConfigDict, data: maps.Maps) -> tuple:
    """The transforms from numbers to the base."""
    channels = 1 if config.row in ("uniform", "variational") else data.num_classes
    sizes = (channels, config.levels, config.couplings)
    return multiscale.glow(*sizes, dense(config), AFFINE, laws.Learned(laws.NORMAL))


def dense(sizes: ConfigDict):
    """Number of outputs -> DenseNet, as large as `sizes.network` says."""
    return functools.partial(networks.DenseNet, **sizes.network)
