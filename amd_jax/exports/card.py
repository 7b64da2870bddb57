"""The card of exported weights: what they are, how to use them, what was measured."""

import importlib.resources
import json
import math
from collections.abc import Sequence

import jax
import jinja2

from amd_jax.facts import Facts, Json
from amd_jax.models import declared
from amd_jax.types import Model, Params


def text(
    name: str,
    model: Model,
    params: Params,
    facts: Facts,
    *,
    run: Json,
    figures: Sequence[tuple[str, ...]],
    samples: str,
) -> str:
    """The card in Markdown; `samples` are Markdown, too.

    `figures` are what was measured, each with `what`, `value`, `method`, `on` and `step` as text.
    """
    source = importlib.resources.files(__package__).joinpath("card.md.j2").read_text("utf-8")
    template = jinja2.Template(source, undefined=jinja2.StrictUndefined)
    result = template.render(
        name=name,
        tag=type(model).__name__.lower(),
        kind=declared.kind(model).capitalize(),
        facts=facts,
        shape=" x ".join(map(str, facts.event_shape)),
        parameters=sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)),
        run=run,
        total=run["config"].get("num_steps", run["step"]),
        figures=figures,
        samples=samples,
        numbers=json.dumps(run["config"], indent=1),
    )
    return f"{result}\n"
