"""`experiments.report`: writes one page that compares several runs."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from amd_jax.cli import flags, reporting
from amd_jax.host.log import logger
from amd_jax.host.printable import in_one_line
from amd_jax.options import number
from amd_jax.pages import comparison, run_record


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Flags of `experiments.report`."""

    output: str = number("comparison.html", "The file to write.", kind=Path)


def main(argv: Sequence[str]) -> None:
    """Writes the comparison of the runs in some folders."""
    if flags.answers(argv[1:], lambda: flags.usage("report", Options)):
        return
    args, places = flags.read_with_names(argv[1:], Options)
    if not places:
        raise ValueError(
            "The folders of runs are missing. Try: python -m experiments.report runs/a runs/b"
        )
    if twice := {folder for folder in places if places.count(folder) > 1}:
        raise ValueError(f"Every run is named once; got {', '.join(sorted(twice))} twice.")
    result = [run_record.read(folder) for folder in places]
    for record in result:
        for line in record.problems:
            logger.warning(line)
    print(f"page: {in_one_line(reporting.save(Path(args.output), comparison.page(result)))}")
