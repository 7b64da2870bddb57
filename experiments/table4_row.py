"""One row of the paper's table on segmentation maps, at a size for two CPU cores.

    python -m experiments.run --config=experiments/table4_row.py --config.row=softplus

Rows: softplus, gumbel, gumbel_threshold (argmax flows), uniform, variational (dequantisation) and
diffusion. Maps: streets (embedded), cityscapes, or with --config.data.path a folder or file of
your own. All rows with one command: `python -m experiments.table4`. Hoogeboom et al., 2021,
sec. 5.
"""

import optax
from ml_collections import ConfigDict

from amd_jax import models, networks, recipes
from amd_jax.data import cityscapes, maps, scenes
from amd_jax.diffusion import kernels, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=8, num_steps=1000, clip=1000.0, checkpoint_every=200)
    config.data = dict(name="streets", path="")
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


def data(config: ConfigDict) -> maps.Maps:
    """The maps that the config names."""
    if config.data.path:
        return maps.load(config.data.path)
    known = {"streets": scenes.streets, "cityscapes": cityscapes.load}
    if config.data.name not in known:
        raise ValueError(f"Maps are {' or '.join(known)}; got {config.data.name!r}.")
    return known[config.data.name]()


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The row that the config names."""
    if config.row == "diffusion":
        return diffusion(config, facts)
    if config.row not in recipes.LIFTS:
        rows = ", ".join([*recipes.LIFTS, "diffusion"])
        raise ValueError(f"A row is one of {rows}; got {config.row!r}.")
    sizes = (config.levels, config.couplings, config.network, config.encoder)
    model = recipes.map_flow(config.row, facts, *sizes)
    optimizer = optimizers.adam(**config.flow_optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.NegativeElbo(model), optimizer)


def diffusion(config: ConfigDict, facts: Facts) -> Parts:
    """Multinomial diffusion, with the network that leaves the own pixel out."""
    kernel = kernels.uniform(schedules.cosine, facts.num_classes)
    denoiser = networks.HollowMap(
        len(kernel.prior), log_frequencies=facts.log_frequencies, **config.denoiser
    )
    model = models.Diffusion(kernel, denoiser, steps=config.timesteps)
    muon = optimizers.muon(**config.diffusion_optimizer, num_steps=config.num_steps)
    optimizer = optax.chain(optax.clip_by_global_norm(config.diffusion_clip), muon)
    return Parts(model, objectives.CrossEntropy(model, warp=objectives.mostly_early), optimizer)
