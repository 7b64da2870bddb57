"""What a training command computes beside its steps, for the estimate of its time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from amd_jax.cli import infilling, reporting
from amd_jax.cli.choices import Choice
from amd_jax.cli.mode_options import Train
from amd_jax.devices import program_cost
from amd_jax.devices.machine import Beside
from amd_jax.evaluation import correction
from amd_jax.experiment import Run
from amd_jax.models import bounds
from amd_jax.options import Named


def of(run: Run, choice: Choice, args: Train) -> Beside:
    """Its evaluations, corrections, gaps, samples and page, counted from their programs."""
    model, config, event = run.model, run.config, run.facts.event_shape
    key = jax.eval_shape(jax.random.key, 0)
    example = _tokens(min(config.batch_size, 8), event)
    params = jax.eval_shape(model.init, key, example)

    def done(f: Callable, split: str, number: int | None, in_order: bool = False) -> float:
        count = len(run.data.rows(split)[:number])
        together = count if in_order else 1
        shapes = params, key, _tokens(together, event)
        return count / together * _flop(lambda p, rng, x: f(model, p, rng, x), *shapes)

    def drawn(sampler: Named | None, number: int) -> float:
        chosen = {} if sampler is None else {"sampler": sampler}
        shape = (number, *event)
        return _flop(lambda p, rng: model.sample(p, rng, shape, **chosen), params, key)

    short = reporting.shorter(choice.sampler, model)
    parts = dict.fromkeys(("corrections", "gaps", "evaluation", "samples"), 0.0)
    if config.evaluate_every and "validation" in run.data.splits:
        bound = bounds.of(model)[0]
        once = done(bound, "validation", config.evaluate_texts, bounds.in_order(bound))
        parts["evaluation"] = config.num_steps // config.evaluate_every * once
    if args.split in run.data.splits:
        for bound in choice.bounds:
            in_order = bounds.in_order(bound)
            parts["evaluation"] += done(bound, args.split, args.num_texts, in_order)
        for editor in choice.correctors:  # and the guess of the network alone
            number = args.num_texts or correction.ROWS
            parts["corrections"] += 2 * done(editor, args.split, number)
        if infilling.is_measured(run.facts, model):
            parts["gaps"] = drawn(short, infilling.few(args.num_texts))
    parts["samples"] = drawn(choice.sampler, args.num_samples or run.facts.num_samples)
    if args.report:
        parts["the page"] = drawn(short, reporting.chains(run.facts))
    *names, last = (name for name, flop in parts.items() if flop or name == "samples")
    what = f"{', '.join(names)} and {last}" if names else last
    return Beside(what, sum(parts.values()))


def _tokens(number: int, event: tuple[int, ...]) -> jax.ShapeDtypeStruct:
    """The shape of some rows."""
    return jax.ShapeDtypeStruct((number, *event), jnp.int32)


def _flop(f: Callable, *arguments: Any) -> float:
    """What a function of arrays of some shapes computes."""
    return program_cost.flops(jax.make_jaxpr(f)(*arguments))
