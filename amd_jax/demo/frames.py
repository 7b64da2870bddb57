"""States of a sampling chain as frames of `film.js`."""

import numpy as np

from amd_jax.evaluation.reports import point_report
from amd_jax.facts import Facts, Json, MapFacts, PlaneFacts
from amd_jax.pages import films

SHADES = 256


def of(t: float, x: np.ndarray, facts: Facts) -> Json:
    """States (N, ...) as a frame: maps in a square, texts one below the other."""
    if isinstance(facts, MapFacts):
        return {"t": t, "map": films.tiled(facts.maps(x))}
    if isinstance(facts, PlaneFacts):
        return {"t": t, "map": shaded(x, facts.num_classes)}
    rows = [films.pieces(np.ravel(row), facts) for row in x]
    return {"t": t, "pieces": sum((["\n\n", *row] for row in rows[1:]), rows[0])}


def empty_film(facts: Facts) -> Json:
    """A film of no frames yet, with the palette that its maps need."""
    if isinstance(facts, PlaneFacts):
        shades = [[shade] * 3 for shade in range(SHADES)]
        return {"kind": "map", "frames": [], "palette": shades, "names": []}
    nothing = np.zeros((1, *facts.event_shape), np.int32)
    return films.of([(0.0, nothing)], facts) | {"frames": []}


def shaded(x: np.ndarray, num_classes: int) -> list[list[int]]:
    """Points (N, 2) as a square of K x K shades, the darker the more."""
    share = point_report.counts(np.asarray(x, np.int64), num_classes)
    shade = 1 - np.sqrt(share / max(share.max(), 1e-30))
    return np.round(shade * (SHADES - 1)).astype(int).tolist()
