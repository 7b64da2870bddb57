"""Several kernels on your own text file with one network, in continuous time.

    python -m experiments.run --config=own_text_kernels:gidd --config.data.path=book.txt

After the colon: uniform (multinomial diffusion), augmented (the same with its noise in sight),
masks, gidd (masks with a share of uniform noise, --config.p_uniform), learned (uniform noise on a
schedule that is learnt), or bound (uniform noise, trained as learned is: by the bound, where the
others have the cross-entropy). Several of them with one command and beside each other:
`python -m experiments.compare`. docs/results.md has figures.
"""

from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import text
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.kernels import learned_schedule
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import learned_objectives, objectives, optimizers

ROWS = ("uniform", "augmented", "masks", "gidd", "learned", "bound")


def get_config(row: str = "uniform") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(
        batch_size=8,
        num_steps=3500,
        clip=1.0,
        checkpoint_every=1000,
        evaluate_every=800,
        log_every=50,
    )
    config.data = dict(path="", length=256, raw_bytes=False, min_count=1)
    config.row = row
    config.p_uniform = 0.1  # share of uniform noise at t = 1/2, of gidd
    config.sampling_steps = 256
    config.network = dict(width=128, blocks=2, dilations=(1,), heads=0, join_width=192)
    config.network.update(table_width=32, dtype="float32", remat=False)
    config.optimizer = dict(matrices=0.02, others=6e-3, warmup_steps=50)
    return config


def data(config: ConfigDict) -> text.Text:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("own_text_kernels needs a file. Give --config.data.path=book.txt")
    return text.load(**config.data)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The kernel and the objective that the config names, with the same network."""
    if config.row not in ROWS:
        raise ValueError(f"A row is one of {', '.join(ROWS)}; got {config.row!r}.")
    if config.row in ("masks", "gidd"):
        share = config.p_uniform if config.row == "gidd" else 0.0
        kernel = kernels.masks_and_uniform(facts.num_classes, share)
    elif config.row == "augmented":
        kernel = kernels.AugmentedUniform(schedules.cosine, facts.num_classes)
    else:
        kernel = kernels.uniform(schedules.cosine, facts.num_classes)
    if config.row == "learned":
        kernel = learned_schedule.LearnedSchedule(kernel)
    noise_only = len(kernel.prior) - facts.num_classes  # a mask, or noise in sight: never guessed
    frequencies = (*facts.log_frequencies, *(0.0,) * noise_only)
    denoiser = networks.Hollow(len(kernel.prior), log_frequencies=frequencies, **config.network)
    sampler = samplers.Ancestral(steps=config.sampling_steps)
    model = models.Diffusion(kernel, denoiser, steps=None, samplers=(sampler,))
    optimizer = optimizers.muon(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objective(config.row, model), optimizer)


def objective(row: str, model: models.Diffusion):
    """What trains a row."""
    if row == "learned":
        return learned_objectives.LeastVariance(model)
    if row == "bound":
        return objectives.NegativeElbo(model)
    if row == "uniform":
        return objectives.CrossEntropy(model, warp=objectives.mostly_early)
    return objectives.CrossEntropy(model)
