"""`--guidance`, `--particles` and `--reveal`, of tables, lines and maps."""

from amd_jax import options
from amd_jax.cli.mode_options import Sample
from amd_jax.diffusion.samplers import Guided

FLAGS = {"guidance", "particles", "reveal"}


def sampler(args: Sample) -> Guided | None:
    """The sampler that a command asks for; None without guidance. ValueError for half of it."""
    numbers = {"particles": args.particles, "reveal": args.reveal}
    given = {name: value for name, value in numbers.items() if value is not None}
    if args.guidance is not None:
        return options.replaced(Guided(args.guidance), given)
    if given:
        raise ValueError(f"--{min(given)} is for guidance. Give --guidance, or leave it out.")
    return None
