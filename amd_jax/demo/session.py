"""The work behind the page: edits a text, fills gaps, streams samples as they emerge.

Each piece of work gives messages, values of JSON with a `kind`, as soon as there is something to
tell: whoever has gone in between is not worked for. What cannot be done raises ValueError first.
"""

import dataclasses
import math
from collections.abc import Iterator

import jax
import numpy as np

from amd_jax.cli import infilling, inputs
from amd_jax.demo import controls, frames, request_parsing, table_form, text_diff
from amd_jax.demo.windows import windows
from amd_jax.evaluation import correction, filling, gallery
from amd_jax.evaluation.reports import run_report
from amd_jax.evaluation.reports.text_report import TextReport
from amd_jax.evaluation.tables import conditional
from amd_jax.facts import UNUSED_SIGN, Facts, Json, MapFacts, PlaneFacts, TableFacts, TextFacts
from amd_jax.models import declared
from amd_jax.models.declared import Editor, Walkable
from amd_jax.options import Named
from amd_jax.types import Key, Model, Params, Sampler

STATES = 41  # of a walk that are shown, at most
TOKENS = 1 << 15  # of all samples together
SAMPLES = 64
FILLINGS = 16  # of one row, at most
POINTS = 100_000


@dataclasses.dataclass(frozen=True, eq=False)
class Work:
    """A model with its parameters, and what is to be known of its data."""

    name: str
    model: Model
    params: Params
    facts: Facts
    done: set = dataclasses.field(default_factory=set)  # what is compiled already

    @property
    def samplers(self) -> tuple[Named, ...]:
        """Ways to sample that the model declares."""
        return declared.samplers(self.model)

    @property
    def editors(self) -> tuple[Editor, ...]:
        """What edits a text; none for data that are no text."""
        return declared.editors(self.model) if self.of_texts else ()

    @property
    def corrects(self) -> bool:
        """Whether one of these puts wrong characters right."""
        return self.of_texts and bool(declared.correctors(self.model))

    @property
    def fills(self) -> bool:
        """Whether gaps of a text or a row, or a hole in a map, are filled."""
        if isinstance(self.facts, TableFacts):
            return conditional.admits(self.model)
        shown = isinstance(self.facts, TextFacts | MapFacts)
        return shown and declared.fills_gaps(self.model)

    @property
    def weighs(self) -> bool:
        """Whether fillings have exact probabilities."""
        is_table = isinstance(self.facts, TableFacts)
        return self.fills and not is_table and filling.is_exact(self.model)

    @property
    def of_texts(self) -> bool:
        """Whether the data are text."""
        return isinstance(self.facts, TextFacts)

    @property
    def walks(self) -> bool:
        """Whether samples come about step by step."""
        return isinstance(self.model, Walkable)

    @property
    def number(self) -> int:
        """How many samples are drawn unless a number is asked for."""
        usual = run_report.of(self.facts).chains if self.walks else self.facts.num_samples
        return min(self.most, usual)

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return sum(np.size(leaf) for leaf in jax.tree.leaves(self.params))

    @property
    def most(self) -> int:
        """How many samples can be asked for."""
        if isinstance(self.facts, PlaneFacts):
            return POINTS
        return max(1, min(SAMPLES, TOKENS // math.prod(self.facts.event_shape)))

    @property
    def fillings(self) -> int:
        """How many fillings are drawn unless a number is asked for."""
        return min(self.most_fillings, infilling.FILLINGS)

    @property
    def most_fillings(self) -> int:
        """How many fillings can be asked for: they are drawn at once."""
        return min(self.most, FILLINGS)

    def edit(self, request: Json) -> Iterator[Json]:
        """A text, seed, and the option and numbers of an editor -> how far it is, then pieces."""
        if not isinstance(self.facts, TextFacts) or not self.editors:
            raise ValueError(f"{self.name} edits no texts: its model declares no editor of them.")
        editor = controls.chosen(self.editors, request, "editor")
        text, seed = request_parsing.text_of(request), request_parsing.seed_of(request)
        report = run_report.of(self.facts)
        assert isinstance(report, TextReport)
        x = report.tokens(text)
        return self._edited(self.facts, editor, text, x, seed)

    def fill(self, request: Json) -> Iterator[Json]:
        """A text with gaps, a row, or a map and its hole, and what `draw` takes -> fillings."""
        if isinstance(self.facts, TableFacts) and self.fills:
            _, *how = self._drawing(request, self.most_fillings, self.fillings)
            return self._row_filled(self.facts, table_form.row_of(self.facts, request), *how)
        if not isinstance(self.facts, TextFacts | MapFacts) or not self.fills:
            raise ValueError(
                f"{self.name} fills no gaps: that takes a model of texts or maps with masks, or "
                "with a network that sees what is known."
            )
        kwargs = self._drawing(request, self.most_fillings, self.fillings)
        return self._filled(request_parsing.partly_of(self.facts, request), *kwargs)

    def draw(self, request: Json) -> Iterator[Json]:
        """Number, seed, and the option and numbers of a sampler -> states, then what came out."""
        sampler, number, seed = self._drawing(request, self.most, self.number)
        rng = jax.random.key(seed)
        if isinstance(self.model, Walkable):
            return self._walked(self.model, sampler, number, rng)
        return self._drawn(sampler, number, rng)

    def damage(self, request: Json) -> Json:
        """A text, a rate and a seed -> the text with some characters replaced by others."""
        if not isinstance(self.facts, TextFacts):
            raise ValueError(f"{self.name} is no model of texts: there is none to damage.")
        text, rate = request_parsing.text_of(request), request.get("rate")
        if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 < rate < 1:
            raise ValueError(f"The share of characters to damage is in (0, 1); got {rate!r:.60}.")
        result = text_diff.damaged(self.facts, text, rate, request_parsing.seed_of(request))
        return {"kind": "damaged", "text": result}

    def open(self, request: Json) -> Json:
        """A map in a file -> the map, as the page takes it."""
        if not isinstance(self.facts, MapFacts):
            raise ValueError(f"{self.name} is no model of maps: there is none to open.")
        return {"kind": "opened", "map": request_parsing.opened(self.facts, request).tolist()}

    def _drawing(self, request: Json, most: int, usual: int) -> tuple[Named | None, int, int]:
        """The sampler of a request, how many to draw, and the seed; or ValueError."""
        sampler = controls.chosen(self.samplers, request, "sampler") if self.samplers else None
        number = controls.whole("Samples", request.get("number"), 1, most, usual)
        if isinstance(sampler, Sampler) and isinstance(self.model, Walkable):
            sampler.times(self.model.steps)  # or ValueError
        return sampler, number, request_parsing.seed_of(request)

    def _edited(
        self, facts: TextFacts, editor: Editor, text: str, x: np.ndarray, seed: int
    ) -> Iterator[Json]:
        """Window after window of the tokens of a text (L,); each is edited by itself."""
        (length,), row = facts.event_shape, facts.filled_up(x)
        result = np.empty_like(row)
        for seen, kept in windows(len(row), length):
            piece = row[None, seen]
            yield from self._first_time(editor, piece.shape)
            yield {"kind": "progress", "done": kept.start, "of": len(row)}
            kwargs = {"seed": seed, "first": seen.start}
            edited = correction.edited(editor, self.model, self.params, piece, **kwargs)[0]
            result[kept] = edited[kept.start - seen.start : kept.stop - seen.start]
        yield text_diff.edited(facts, text, x, result[: len(x)])

    def _filled(
        self, row: inputs.Partly, sampler: Named | None, number: int, seed: int
    ) -> Iterator[Json]:
        """Fillings of a row (...), with masks the likely ones first."""
        yield from self._first_time("fill", sampler, number)
        facts = self.facts
        drawn, captions = infilling.fillings(
            self.model, self.params, row, facts, number=number, seed=seed, sampler=sampler
        )
        if isinstance(facts, TextFacts):
            part = facts, row.known | row.wanted, row.wanted
            result = [
                text_diff.filled(*part, x, one) for x, one in zip(drawn, captions, strict=True)
            ]
        else:
            result = [
                frames.of(0.0, x[None], facts) | {"name": one}
                for x, one in zip(drawn, captions, strict=True)
            ]
        yield {"kind": "filled", "fillings": result}

    def _row_filled(
        self, facts: TableFacts, x: np.ndarray, number: int, seed: int
    ) -> Iterator[Json]:
        """A row (1, L) with its gaps drawn, and the law of each."""
        yield from self._first_time("fill", number)
        yield table_form.filled(self.model, self.params, facts, x, number, seed)

    def _walked(
        self, model: Walkable, sampler: Named | None, number: int, rng: Key
    ) -> Iterator[Json]:
        """The states of some samples on their way from noise to data."""
        shape = (number, *self.facts.event_shape)
        yield from self._first_time(sampler, number)
        grid = sampler.times(model.steps) if isinstance(sampler, Sampler) else range(STATES + 1)
        count = states_of(len(grid) - 1)
        walk = model.walk(self.params, rng, shape, count, sampler)
        for i, (t, x) in enumerate(walk):
            yield {
                "kind": "state",
                "frame": frames.of(t, x, self.facts),
                "done": i + 1,
                "of": count,
            }
        yield self._drawn_out(x)

    def _drawn(self, sampler: Named | None, number: int, rng: Key) -> Iterator[Json]:
        """Samples of a model that has no steps."""
        shape = (number, *self.facts.event_shape)
        yield from self._first_time(sampler, number)
        x = gallery.samples(self.model, self.params, rng, shape, sampler)
        yield {"kind": "state", "frame": frames.of(0.0, x, self.facts), "done": 1, "of": 1}
        yield self._drawn_out(x)

    def _drawn_out(self, x: np.ndarray) -> Json:
        """What came out: texts to copy, and what is to be said of codes of no class."""
        picture = isinstance(self.facts, MapFacts | PlaneFacts)
        shown = [] if picture else [self.facts.show(row) for row in x]
        sign = "magenta" if isinstance(self.facts, MapFacts) else UNUSED_SIGN
        return {"kind": "drawn", "texts": shown, "notes": gallery.unused(x, sign)}

    def _first_time(self, *what: object) -> Iterator[Json]:
        """Says so where something has to be compiled."""
        if what not in self.done:
            yield {"kind": "compiling"}
        self.done.add(what)


def states_of(steps: int) -> int:
    """How many states of a walk are shown: with as many steps between any two, if that can be.

    Parts of one length are compiled once.
    """
    equal = [parts for parts in range(STATES // 2, STATES) if steps % parts == 0]
    return min(steps, max(equal, default=STATES - 1)) + 1
