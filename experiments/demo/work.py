"""What the page asks of a model: a text corrected, samples as they come about, a text damaged.

Each piece of work gives messages, values of JSON with a `kind`, as soon as there is something to
tell: whoever has gone in between is not worked for. What cannot be done raises ValueError first.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from amd_jax.evaluation import correction, gallery, plane, report
from amd_jax.facts import UNKNOWN_SIGN, UNUSED_SIGN, Facts, MapFacts, PlaneFacts, TextFacts
from amd_jax.models import corrections
from amd_jax.pages import films, texts
from amd_jax.types import Params

from . import controls

Message = dict[str, Any]
LONGEST = 16_384  # characters of a text
STATES = 41  # of a walk that are shown, at most
TOKENS = 1 << 15  # of all samples together
SAMPLES = 64
POINTS = 100_000
SHADES = 256
PRINTABLE = "".join(map(chr, range(32, 127)))


@dataclasses.dataclass(frozen=True, eq=False)
class Work:
    """A model with its parameters, and what is to be known of its data."""

    name: str
    model: Any
    params: Params
    facts: Facts
    done: set = dataclasses.field(default_factory=set)  # what is compiled already

    @property
    def samplers(self) -> tuple[Any, ...]:
        """Ways to sample that the model declares."""
        return tuple(getattr(self.model, "samplers", ()))

    @property
    def editors(self) -> tuple[Any, ...]:
        """What corrects a text; none for data that are no text."""
        declared = getattr(self.model, "editors", ()) if isinstance(self.facts, TextFacts) else ()
        return tuple(filter(corrections.corrects, declared))

    @property
    def walks(self) -> bool:
        """Whether samples come about step by step."""
        return hasattr(self.model, "walk")

    @property
    def number(self) -> int:
        """How many samples are drawn unless a number is asked for."""
        usual = report.of(self.facts).chains if self.walks else self.facts.num_samples
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

    def correct(self, asked: Mapping[str, Any]) -> Iterator[Message]:
        """A text, and the option and numbers of an editor -> how far it is, then its pieces."""
        if not self.editors:
            raise ValueError(
                f"{self.name} corrects no texts: its model declares no editor for that."
            )
        editor, text = controls.chosen(self.editors, asked, "editor"), text_of(asked)
        return self._corrected(editor, text, report.of(self.facts).tokens(text))

    def draw(self, asked: Mapping[str, Any]) -> Iterator[Message]:
        """Number, seed, and the option and numbers of a sampler -> states, then what came out."""
        sampler = controls.chosen(self.samplers, asked, "sampler") if self.samplers else None
        number = controls.whole("samples", asked.get("number"), 1, self.most, self.number)
        rng = jax.random.key(seed_of(asked))
        if hasattr(sampler, "times"):
            sampler.times(self.model.steps)  # or ValueError
        return (self._walked if self.walks else self._drawn)(sampler, number, rng)

    def damage(self, asked: Mapping[str, Any]) -> Message:
        """A text, a rate and a seed -> the text with some characters replaced by others."""
        if not isinstance(self.facts, TextFacts):
            raise ValueError(f"{self.name} is no model of texts: there is none to damage.")
        text, rate = text_of(asked), asked.get("rate")
        if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 < rate < 1:
            raise ValueError(f"The share of characters to damage is in (0, 1); got {rate!r:.60}.")
        return {"kind": "damaged", "text": damaged(self.facts, text, rate, seed_of(asked))}

    def _corrected(self, editor: Any, text: str, x: np.ndarray) -> Iterator[Message]:
        """Piece after piece of the tokens of a text (L,)."""
        (length,), found = self.facts.event_shape, []
        for start in range(0, len(x), length):
            piece = x[start : start + length]
            yield from self._first_time(editor, len(piece))
            yield {"kind": "progress", "done": start, "of": len(x)}
            found.append(correction.edited(editor, self.model, self.params, piece[None])[0])
        yield corrected(self.facts, text, x, np.concatenate(found))

    def _walked(self, sampler: Any, number: int, rng: Any) -> Iterator[Message]:
        """The states of some samples on their way from noise to data."""
        shape = (number, *self.facts.event_shape)
        yield from self._first_time(sampler, number)
        steps = len(sampler.times(self.model.steps)) - 1 if hasattr(sampler, "times") else STATES
        count = states_of(steps)
        walk = self.model.walk(self.params, rng, shape, count, sampler)
        for i, (t, x) in enumerate(walk):
            yield {"kind": "state", "frame": frame(t, x, self.facts), "done": i + 1, "of": count}
        yield self._drawn_out(x)

    def _drawn(self, sampler: Any, number: int, rng: Any) -> Iterator[Message]:
        """Samples of a model that has no steps."""
        shape = (number, *self.facts.event_shape)
        yield from self._first_time(sampler, number)
        x = gallery.samples(self.model, self.params, rng, shape, sampler)
        yield {"kind": "state", "frame": frame(0.0, x, self.facts), "done": 1, "of": 1}
        yield self._drawn_out(x)

    def _drawn_out(self, x: np.ndarray) -> Message:
        """What came out: texts to copy, and what is to be said of codes of no class."""
        picture = isinstance(self.facts, MapFacts | PlaneFacts)
        shown = [] if picture else [self.facts.show(row) for row in x]
        sign = "magenta" if isinstance(self.facts, MapFacts) else UNUSED_SIGN
        return {"kind": "drawn", "texts": shown, "notes": gallery.unused(x, sign)}

    def _first_time(self, *what: Any) -> Iterator[Message]:
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


def seed_of(asked: Mapping[str, Any]) -> int:
    """The seed of a request, or 0."""
    return controls.whole("seed", asked.get("seed"), 0, controls.SEEDS, 0)


def text_of(asked: Mapping[str, Any]) -> str:
    """The text of a request, without halves of characters; ValueError if it is too long."""
    text = asked.get("text")
    if not isinstance(text, str):
        raise ValueError(f"text is a text; got {text!r:.60}.")
    if len(text) > LONGEST:
        raise ValueError(
            f"A text has at most {LONGEST:,} characters here; this one has {len(text):,}. Give it "
            "in parts, or use --mode=correct --input=FILE."
        )
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\r\n", "\n")


def corrected(facts: TextFacts, text: str, before: np.ndarray, after: np.ndarray) -> Message:
    """A corrected text in pieces (text, mark, what stood there), and what is to be said of it.

    The mark is "changed", "kept" of a character that the alphabet lacks, or "". `before` and
    `after` are tokens (L,).
    """
    given, pieces = facts.pieces(before), facts.pieces(after)
    marks = texts.marks(before, after, None)
    foreign = [] if facts.alphabet is None else facts.known(text)
    for i, known in enumerate(foreign):
        if not known:
            given[i] = pieces[i] = text[i]
            marks[i] = "kept"
    now, then = (texts.marked(one, marks) for one in (pieces, given))
    if len(now) != len(then):  # bytes whose characters begin elsewhere
        then = [texts.Piece("", mark) for _, mark in now]
    pairs = zip(now, then, strict=True)
    found = [[texts.shown(a), mark, texts.shown(b)] for (a, mark), (b, _) in pairs]
    return {
        "kind": "corrected",
        "pieces": found,
        "text": "".join(pieces),
        "changed": marks.count("changed"),
        "foreign": marks.count("kept"),
    }


def damaged(facts: TextFacts, text: str, rate: float, seed: int) -> str:
    """A text in which a share of the characters that have a token are replaced at random."""
    rng = np.random.default_rng(seed)
    signs = PRINTABLE if facts.alphabet is None else facts.alphabet
    signs = "".join(sign for sign in signs if sign.isprintable() and sign != UNKNOWN_SIGN)
    places = [i for i, character in enumerate(text) if character in signs]
    if not places or len(signs) < 2:
        raise ValueError("The text has no character that could be replaced. Type some words.")
    found = list(text)
    for i in rng.choice(places, max(1, round(rate * len(places))), replace=False):
        step = int(rng.integers(1, len(signs)))
        found[i] = signs[(signs.index(text[i]) + step) % len(signs)]
    return "".join(found)


def frame(t: float, x: np.ndarray, facts: Facts) -> Message:
    """States (N, ...) as a frame of `film.js`: maps in a square, texts one below the other."""
    if isinstance(facts, MapFacts):
        return {"t": t, "map": films.tiled(x)}
    if isinstance(facts, PlaneFacts):
        return {"t": t, "map": shaded(x, facts.num_classes)}
    rows = [films.pieces(np.ravel(row), facts) for row in x]
    return {"t": t, "pieces": sum((["\n\n", *row] for row in rows[1:]), rows[0])}


def empty_film(facts: Facts) -> Message:
    """A film of no frames yet, with the palette that its maps need."""
    if isinstance(facts, PlaneFacts):
        shades = [[shade] * 3 for shade in range(SHADES)]
        return {"kind": "map", "frames": [], "palette": shades, "names": []}
    nothing = np.zeros((1, *facts.event_shape), np.int32)
    return films.of([(0.0, nothing)], facts) | {"frames": []}


def shaded(x: np.ndarray, num_classes: int) -> list[list[int]]:
    """Points (N, 2) as a square of K x K shades, the darker the more."""
    share = plane.counts(np.asarray(x, np.int64), num_classes)
    shade = 1 - np.sqrt(share / max(share.max(), 1e-30))
    return np.round(shade * (SHADES - 1)).astype(int).tolist()
