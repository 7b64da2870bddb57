"""`experiments.table4`: the rows of the paper's comparison on segmentation maps."""

import dataclasses
from pathlib import Path

from amd_jax.cli import command_line, flags
from amd_jax.comparison import compare
from amd_jax.comparison.rows import Row
from amd_jax.models.bounds import ImportanceWeighted
from amd_jax.options import number

ROWS = {  # row of table4_row.py -> title, ELBO and IWBO in the paper, bits per pixel
    "uniform": ("Round / uniform", "1.010", "0.930"),
    "variational": ("Round / variational", "0.334", "0.315"),
    "softplus": ("Argmax / softplus threshold", "0.303", "0.290"),
    "gumbel": ("Argmax / Gumbel distribution", "0.365", "0.341"),
    "gumbel_threshold": ("Argmax / Gumbel threshold", "0.307", "0.287"),
    "diffusion": ("Multinomial diffusion", "0.305", "–"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(compare.Table):
    """Flags of `experiments.table4`."""

    workdir: str = number("runs/table4", "Folder of all rows.", kind=Path)
    rows: str = number(",".join(ROWS), "Rows to train, with commas.")
    importance_samples: int = number(50, "Draws of the importance-weighted bound.", least=1)


def main(argv: list[str]) -> None:
    """Trains and measures what is missing; writes table, pictures and page."""
    if flags.answers(argv[1:], lambda: flags.usage("table4", Options)):
        return
    args, rest = flags.read(argv[1:], Options)
    names = compare.chosen(args.rows, ROWS, "rows")
    flags.finish([argument for argument in rest if not argument.startswith("-")], Options)
    command_line.start_jax()
    wanted = [row(name, rest, args.importance_samples) for name in names]
    compare.compare(wanted, args)


def row(name: str, shared: list[str], draws: int) -> Row:
    """A row of the table, in a folder of its name."""
    title, elbo, iwbo = ROWS[name]
    result = compare.opened(f"table4_row --config.row={name}", shared)
    bounds = result.bounds
    if name != "diffusion":  # whose every draw would walk all steps
        bounds = (*bounds, ImportanceWeighted(draws))
    paper = {"elbo": elbo, "iwbo": iwbo}
    return Row(title, result.run, bounds, folder=name, paper=paper)
