"""Rows of a comparison: runs in folders of their own, trained and measured alike.

What was measured lies in the folder of each run, and is looked up there: the same comparison again
trains and measures what is missing. A mean over rows counts as missing if what it is of each row
is, by which two runs are compared.
"""

import contextlib
import dataclasses
import functools
import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from amd_jax import options
from amd_jax.evaluation import correction, gallery
from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import run_report
from amd_jax.evaluation.reports.plain_report import held_out
from amd_jax.evaluation.samples import model_scores
from amd_jax.evaluation.samples.data_scores import Scores
from amd_jax.experiment import Run
from amd_jax.facts import Json
from amd_jax.host import filesystem
from amd_jax.models import declared
from amd_jax.models.declared import Corrector
from amd_jax.options import Named
from amd_jax.pages import run_record
from amd_jax.runs import results
from amd_jax.types import Bound, Params


class Figure(NamedTuple):
    """What was measured, with its standard error if it has one."""

    value: float
    error: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """A run that is trained, and what is asked of it."""

    title: str
    run: Run
    bounds: tuple[Bound, ...]
    folder: str
    paper: Mapping[str, str] = dataclasses.field(default_factory=dict)  # by bound, others' figures

    @property
    def workdir(self) -> Path:
        """Where its run is kept; ValueError before it is trained."""
        return Path(self.run.folder)

    @functools.cached_property
    def params(self) -> Params:
        """Its averaged parameters."""
        return self.run.load()[1]

    @property
    def correctors(self) -> tuple[Corrector, ...]:
        """The ways of the model to correct errors."""
        return declared.correctors(self.run.model)

    @property
    def split(self) -> str:
        """What it is measured on: the test rows, if there are any."""
        return held_out(self.run.data)

    @property
    def minutes(self) -> float:
        """How long it was trained."""
        return (run_record.read(self.workdir).seconds or 0.0) / 60

    @functools.cached_property
    def parameters(self) -> int:
        """How many numbers the model has."""
        shape = (1, *self.run.facts.event_shape)
        x = jax.ShapeDtypeStruct(shape, np.int32)
        shapes = jax.eval_shape(self.run.model.init, jax.random.key(0), x)
        return sum(leaf.size for leaf in jax.tree.leaves(shapes))

    def bits(self, bound: Bound, number: int | None) -> Figure:
        """A bound on its test rows, or so many of them, per token."""
        return Figure(*self.bits_of_rows(bound, number).mean())

    def bits_of_rows(self, bound: Bound, number: int | None) -> PerRow:
        """The same of each row."""

        def measure() -> dict[str, PerRow]:
            result, line = run_report.bits(
                self.run.model,
                self.params,
                self.run.data,
                split=self.split,
                number=number,
                bound=bound,
            )
            print(line, flush=True)
            return {"bits": result.per_row}

        question = run_report.question(bound, self.run.model, self.run.facts)
        question |= {"split": self.split, "examples": self.examples(number)}
        return self.figures_of_rows(measure, ("bits",), question)["bits"]

    def samples(self, sampler: Named, number: int) -> dict[str, Figure]:
        """Measures of `number` samples, and the seconds that one takes once all is compiled."""

        def measure() -> dict[str, Figure]:
            half = (-(-number // 2), *self.run.facts.event_shape)
            drawn = []
            for seed in (0, 1):  # the first half waits for the compiler
                start, rng = time.perf_counter(), jax.random.key(seed)
                drawn.append(gallery.samples(self.run.model, self.params, rng, half, sampler))
            seconds = (time.perf_counter() - start) / len(drawn[1])
            x = np.concatenate(drawn)[:number]
            print(f"{self.title}, {label(sampler)}: {number} samples", flush=True)
            result = run_report.of(self.run.facts).measures(x, self.run.data)
            figures = {name: Figure(*figure) for name, figure in result.items()}
            return {**figures, "seconds_a_sample": Figure(seconds)}

        question = {"method": label(sampler), "examples": number}
        return self.figures(measure, "seconds_a_sample", question)

    def scores(self, sampler: Named | None, scores: Scores) -> dict[str, Figure]:
        """Scores of as many samples as stand beside them: docs/how_to/sample_scores.md."""
        repeats, size = scores.rows.real.shape[:2]
        drawn = f"{label(sampler)}, {repeats * size} samples"

        def measure() -> dict[str, Figure]:
            print(f"{self.title}, {drawn} are scored", flush=True)
            about = self.run.model, self.params, jax.random.key(0), sampler
            found = model_scores.of(scores, *about)
            return {name: Figure(*figure) for name, figure in found.items()}

        method = f"{drawn} in {repeats} draws"
        question = {"method": method, "split": self.split, "examples": len(scores.test)}
        return self.figures(measure, model_scores.names(scores, self.run.model)[-1], question)

    def first_samples(self, number: int) -> np.ndarray:
        """So many samples by the model's own way, kept beside the run: (N, ...)."""
        path = self.workdir / f"first_{number}_at_{self.run.step}.npy"
        shape = (number, *self.run.facts.event_shape)
        with contextlib.suppress(OSError, ValueError, EOFError):
            with filesystem.regular(path, follow=False) as file:
                content = file.read(1024 + 4 * math.prod(shape))  # the head, and int32
            x = np.load(io.BytesIO(content))
            if x.shape == shape:
                return x
        x = gallery.samples(self.run.model, self.params, jax.random.key(0), shape)
        with filesystem.draft(path) as file:
            np.save(file, x)
        return x

    def corrected(self, editor: Corrector, number: int | None) -> dict[str, Figure]:
        """What a correction makes of test rows with errors: `restored` and `spoiled`."""
        result = self.corrected_of_rows(editor, number)
        return {name: Figure(*per_row.mean()) for name, per_row in result.items()}

    def corrected_of_rows(self, editor: Corrector, number: int | None) -> dict[str, PerRow]:
        """The same of each row."""

        def measure() -> dict[str, PerRow]:
            rows = self.run.data.rows(self.split)[: number or correction.ROWS]
            facts = self.run.facts
            trial = correction.trial(editor, self.run.model, self.params, rows, facts, 0)
            return trial.by_posterior.per_row

        examples = min(number or correction.ROWS, self.examples(None))
        question = {"split": self.split, "error_rate": editor.error_rate, "examples": examples}
        return self.figures_of_rows(measure, ("restored", "spoiled"), question)

    def examples(self, number: int | None) -> int:
        """How many rows of the split are meant."""
        rows = len(self.run.data.rows(self.split))
        return rows if number is None else min(number, rows)

    def figures_of_rows(
        self, measure: Callable[[], dict[str, PerRow]], names: Sequence[str], question: Json
    ) -> dict[str, PerRow]:
        """Means over rows by their names, as they were measured, or as they are measured now."""
        question = {"step": self.run.step, "seed": 0, **question}
        known = {f.what: f.rows for f in self._known(question) if f.per_row is not None}
        if known.keys() >= {*names}:
            return {name: known[name] for name in names}
        result = measure()
        results.add(
            self.workdir, *(Measurement.mean(*each, **question) for each in result.items())
        )
        return result

    def figures(
        self, measure: Callable[[], dict[str, Figure]], last: str, question: Json
    ) -> dict[str, Figure]:
        """What was measured already, in this way and at this step; or what is measured now.

        They are kept one by one: without the `last` of them, something came between.
        """
        question = {"step": self.run.step, "seed": 0, **question}
        known = {
            figure.what: Figure(figure.value, figure.error)
            for figure in self._known(question)
            if figure.value is not None
        }
        if last in known:
            return known
        result = measure()
        for what, figure in result.items():
            results.add(self.workdir, Measurement(what=what, **figure._asdict(), **question))
        return result

    def _known(self, question: Json) -> list[Measurement]:
        """What was measured already for a question, of whatever kind."""
        return [
            figure
            for figure in results.read(self.workdir)
            if figure.question() == {"what": figure.what, **question}
        ]


def label(option: Named | None) -> str:
    """An option in words: its name, and the numbers that were chosen."""
    if option is None:
        return "the model"
    return ", ".join([option.name, *options.settings(option)])
