"""What the page of a run shows of lines beside their samples."""

import numpy as np

from amd_jax.evaluation.reports.plain_report import held_out
from amd_jax.experiment import LoadedModel
from amd_jax.facts import LineFacts
from amd_jax.host.printable import in_one_line
from amd_jax.pages import line_shows
from amd_jax.pages.line_shows import LinesShown


def shown(loaded: LoadedModel, facts: LineFacts, x: np.ndarray) -> LinesShown:
    """Molecules of samples x (N, L), and properties beside those of real lines.

    Without these if the file is not where it was.
    """
    drawings = line_shows.drawings(facts, x)
    try:
        data = loaded.data
        split = held_out(data)
        train, others = data.rows("train"), data.rows(split)[: len(x)]
    except (OSError, ValueError) as error:
        cause = in_one_line(error)[:300]
        note = f"Lines are not read, so no real ones stand beside the samples: {cause}"
        return LinesShown((), note, *drawings)
    return LinesShown(*line_shows.panels(facts, x, train, others, split), *drawings)
