"""Masked diffusion on your own label maps, in continuous time (Shi et al., 2024).

    python -m experiments.run --config=own_maps_masked --config.data.path=FOLDER

As `own_maps` in all but the noise: a pixel becomes a mask, and is revealed for good. A hole in a
map is then filled exactly: --mode=infill --input=map.png --hole=top,left,height,width. With
--config.p_uniform=0.1 some noise on the way is uniform (GIDD, von Rütte et al., 2025): what was
revealed may be corrected, and holes are not filled. The weights `land_cover_masked` are from here.

--config.data.scene=streets in the place of a path takes streets that are drawn from a seed, of
--config.data.size=16,32; --config.data.label=human learns a label beside each map: with or
without that category.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import labelled_maps, scenes
from amd_jax.diffusion import kernels, samplers
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import MapFacts
from amd_jax.learning import objectives, optimizers
from amd_jax.ops.maps import LabelledMaps
from amd_jax.types import Dataset


def get_config() -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=4, num_steps=4000, clip=1.0, evaluate_every=500)
    config.data = dict(path="", num_classes=0, augment=True, palette=(), void=-1, size=())
    config.data.update(label="", scene="")
    config.p_uniform = 0.0  # share of uniform noise at t = 1/2
    config.sampling_steps = 100
    config.network = dict(width=64, dilations=(1, 2), window=3, join_width=96, join_blocks=2)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> Dataset:
    """What is learnt from; sampling does without."""
    kwargs = dict(config.data)
    scene = kwargs.pop("scene")
    if bool(scene) == bool(config.data.path):
        raise ValueError(
            "own_maps_masked needs a folder or file, or a scene. Give --config.data.path=FOLDER "
            "or --config.data.scene=streets"
        )
    if scene:
        return scenes.load(scene, config.data.size, config.data.label, config.data.augment)
    return labelled_maps.load(**kwargs)


def build(config: ConfigDict, facts: MapFacts) -> Parts:
    """Plain composition: to change a part, change its line."""
    if facts.labels and config.p_uniform:
        raise ValueError("Labels are for masks alone. Leave --config.p_uniform out.")
    kernel = kernels.masks_and_uniform(facts.num_classes, config.p_uniform)
    frequencies = (*facts.log_frequencies, 0.0)  # that of the mask is never guessed
    denoiser = networks.HollowMap(
        len(kernel.prior), log_frequencies=frequencies, size=facts.size, **config.network
    )
    sampler = samplers.Ancestral(steps=config.sampling_steps)
    model = models.Diffusion(
        kernel, denoiser, steps=None, samplers=(sampler,), support=LabelledMaps.of(facts)
    )
    objective = objectives.CrossEntropy(model)
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objective, optimizer)
