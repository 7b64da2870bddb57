"""`--guidance` and `--particles`, of tables and of lines."""

from amd_jax.cli.mode_options import Sample
from amd_jax.diffusion.samplers import Guided


def sampler(args: Sample) -> Guided | None:
    """The sampler that a command asks for; None without guidance. ValueError for half of it."""
    if args.guidance is not None:
        return Guided(args.guidance, args.particles or Guided.particles)
    if args.particles is not None:
        raise ValueError("--particles is for guidance. Give --guidance, or leave it out.")
    return None
