"""The card of exported weights: what they are, how to use them, what was measured."""

import importlib.resources
import json
import math
from typing import Any

import jax
import jinja2

from amd_jax.facts import Facts
from amd_jax.types import Params

SHOWN = {"what", "value", "error", "unit", "how", "exact", "bound", "command"}


def text(
    name: str,
    model: Any,
    params: Params,
    facts: Facts,
    *,
    run: dict[str, Any],
    results: list[dict[str, Any]],
    samples: str,
) -> str:
    """The card in Markdown; `samples` are Markdown, too."""
    source = importlib.resources.files(__package__).joinpath("card.md.j2").read_text("utf-8")
    template = jinja2.Template(source, undefined=jinja2.StrictUndefined)
    found = template.render(
        name=name,
        kind=type(model).__name__.lower(),
        facts=facts,
        shape=" x ".join(map(str, facts.event_shape)),
        parameters=sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)),
        run=run,
        total=run["config"].get("num_steps", run["step"]),
        figures=[_told(found) for found in results if _is_number(found.get("value"))],
        samples=samples,
        numbers=json.dumps(run["config"], indent=1),
    )
    return f"{found}\n"


def _told(found: dict[str, Any]) -> dict[str, str]:
    """One figure in words: its value with its error, and what it takes to measure it again."""
    error = f" ± {found['error']:.3f}" if _is_number(found.get("error")) else ""
    unit = f" per {found['unit']}" if "unit" in found else ""
    return {
        "what": f"{found.get('what')}{unit}".replace("_", " "),
        "value": f"{found['value']:.3f}{error}",
        "how": str(found.get("how", "")),
        "of": ", ".join(f"{k} {v}" for k, v in found.items() if k not in SHOWN),
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
