"""Lines of any length: rows of characters, padded to the longest one, perhaps with a label."""

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Integer
from numpy.typing import ArrayLike

from amd_jax.facts import line_properties, selfies
from amd_jax.facts.field_types import Json
from amd_jax.facts.labels import Labelled
from amd_jax.facts.rows import NOISE_SIGN, UNUSED_SIGN, Facts, listed
from amd_jax.facts.text import TextFacts
from amd_jax.host.printable import cut, in_one_line

RULES = ("", "smiles", "rdkit", "protein")  # of validity: see `evaluation.lines.validity`
NO_RDKIT = (
    "validity=rdkit needs RDKit, which is not installed. Install it (pip install rdkit), or give "
    "validity=smiles, which checks the syntax alone."
)
SELFIES = "selfies"
END = "\n"  # stands for padding in an alphabet; no line holds it
LABEL_SIGNS = range(0xE000, 0xF900)  # stand for labels in an alphabet: private use
SAMPLED = 1 << 16  # tokens that are drawn unless a number is given
BLOCK = 1 << 15  # rows that are decoded at a time
SHARE = 0.999  # of lines, that are of the usual length


@dataclasses.dataclass(frozen=True)
class LineFacts(Labelled, TextFacts):
    """Lines of 1 to L characters: K characters, then padding, then C labels are the classes.

    Token k < K is a character, K is padding, which fills a row up to L tokens, and K + 1 + c is
    label c. With labels a row has L + 1 tokens, the label first. `LineFacts.of` fills in what
    follows from the characters, the lengths and the labels. The statistics may hold `left_out`,
    lines by the reason why they are none of the data's, and `usual_length`, see `usual`.

    Tokens of several characters have a sign each for their character, and the text that they add
    to a line. Bits count per character of the lines even so.
    """

    length_frequencies: tuple[float, ...] = ()  # (L,), share of lines of 1, 2, ... L tokens
    labels: tuple[str, ...] = ()  # (C,)
    validity: str = ""  # the rule that says which lines are valid: one of RULES
    texts: tuple[str, ...] = ()  # (K,), of tokens of several characters
    writing: str = ""  # what such texts make up: "" is the line itself, SELFIES one in SELFIES
    label_rule: str = ""  # that computes a line's label: one of `line_properties.LABELS`

    kind: ClassVar[str] = "lines"
    rows: ClassVar[str] = "lines"

    def __post_init__(self):
        """Raises ValueError unless classes and shape are those of the lines."""
        super().__post_init__()
        shares = tuple(float(p) for p in self.length_frequencies)
        object.__setattr__(self, "length_frequencies", shares)
        shape, size = (len(shares) + self.start,), len(self.symbols) + 1 + len(self.labels)
        if not self.symbols or self.event_shape != shape or self.num_classes != size:
            raise ValueError(
                f"{self.name} has {len(self.symbols)} characters, padding and {len(self.labels)} "
                f"labels, in rows of {shape[0]}; got {self.num_classes} classes and the shape "
                f"{self.event_shape}. Use LineFacts.of."
            )
        if not abs(sum(shares) - 1) < 1e-6 or min(shares) <= 0:
            raise ValueError(
                f"The shares of lengths 1 to {len(shares)} are positive and sum to one; those of "
                f"{self.name} sum to {sum(shares):.6g}."
            )
        self.check_labels()
        if self.validity not in RULES:
            raise ValueError(
                f"validity is one of {', '.join(RULES[1:])}, or empty; got {self.validity!r:.60}."
            )
        if self.texts and len(self.texts) != len(self.symbols):
            raise ValueError(
                f"Each token has a text; {self.name} has {len(self.symbols)} and "
                f"{len(self.texts)} texts."
            )
        if self.writing not in ("", SELFIES):
            raise ValueError(f"writing is {SELFIES}, or empty; got {self.writing!r:.60}.")
        if self.label_rule not in ("", *line_properties.LABELS):
            raise ValueError(
                f"label_rule is one of {', '.join(line_properties.LABELS)}, or empty; got "
                f"{self.label_rule!r:.60}."
            )

    @classmethod
    def of(
        cls,
        symbols: str,
        length_frequencies: Sequence[float],
        labels: Sequence[str] = (),
        validity: str = "",
        name: str = "lines",
        frequencies: Sequence[float] = (),
        statistics: Json | None = None,
        label_rule: str = "",
        texts: Sequence[str] = (),
        writing: str = "",
    ) -> "LineFacts":
        """The facts of lines of these K characters, L lengths and C labels.

        Raises:
            ValueError: for characters that hold a line feed, or are there twice.
        """
        if END in symbols:
            raise ValueError(
                f"A line holds no line feed; {name} has one among its characters. Join them."
            )
        free = (chr(code) for code in LABEL_SIGNS if chr(code) not in symbols)
        signs = [sign for _, sign in zip(labels, free, strict=False)]
        return cls(
            num_classes=len(symbols) + 1 + len(labels),
            event_shape=(len(length_frequencies) + bool(labels),),
            name=name,
            frequencies=tuple(frequencies),
            statistics=statistics or {},
            alphabet="".join([symbols, END, *signs]),
            padding=len(symbols),
            length_frequencies=tuple(length_frequencies),
            labels=tuple(labels),
            validity=validity,
            label_rule=label_rule,
            texts=tuple(texts),
            writing=writing,
        )

    @functools.cached_property
    def symbols(self) -> str:
        """The characters that a line may hold: (K,)."""
        return (self.alphabet or "")[: self.padding]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The tokens' texts or characters, the end of a line, and the labels after line ends."""
        return (*(self.texts or self.symbols), END, *(END + label for label in self.labels))

    def with_another_class(self, **changes: Any) -> Facts:
        """The facts with one more character."""
        texts = self.texts and (*self.texts, "another")
        return super().with_another_class(texts=texts, **changes)

    @property
    def num_samples(self) -> int:  # type: ignore[override]  # a number for each data set
        """How many lines are drawn unless a number is given: fewer of long ones."""
        return min(1000, max(16, SAMPLED // self.longest))

    @property
    def longest(self) -> int:
        """L, the tokens of the longest line."""
        return len(self.length_frequencies)

    @property
    def start(self) -> int:
        """Where the line begins in its row: after the label, if there are labels."""
        return int(bool(self.labels))

    @property
    def first_label(self) -> int:
        """The token of label 0, after the characters and padding."""
        return len(self.symbols) + 1

    @property
    def classes(self) -> int:
        """How many characters there are: what a token `inside` a line can be."""
        return len(self.symbols)

    @property
    def token(self) -> str:
        """What a token is called: a character, unless it has a text."""
        return "token" if self.texts else self.unit

    @property
    def uniform_bits(self) -> float:
        """Bits of a token, or of the end, if all of them are alike."""
        return math.log2(len(self.symbols) + 1)

    def inside(self, x: np.ndarray) -> Bool[np.ndarray, "*shape"]:
        """Which tokens of rows (N, ...) are of the line: neither its label nor after its end."""
        places = np.arange(np.shape(x)[1]) - self.start
        return (places >= 0) & (places < self.sizes(x)[:, None] - 1)

    def lengths(self, x: np.ndarray) -> Integer[np.ndarray, "N"]:
        """Characters of each line of rows (N, ...), plus one for its end: int64 (N,)."""
        if not self.texts:
            return self.sizes(x)
        return 1 + np.fromiter(map(len, self.lines(x)), np.int64, count=len(x))

    def sizes(self, x: np.ndarray) -> Integer[np.ndarray, "N"]:
        """Tokens of each line of rows (N, ...), plus one for its end: int64 (N,)."""
        ended = np.asarray(x)[:, self.start :] == self.padding
        return np.where(ended.any(axis=1), ended.argmax(axis=1), ended.shape[1]) + 1

    def row(self, line: str, label: str = "") -> Integer[np.ndarray, "L"]:
        """The tokens of a line, and of its label, padded: int32, of the shape of an event.

        A molecule whose tokens are SELFIES is written in them, as `[C][C][O]`.

        Raises:
            ValueError: for an unknown character or label, and a line that is empty or too long;
                for any line if a tokenizer has made the tokens.
        """
        tokens = self.encode(self.signs(line))
        if not 1 <= len(tokens) <= self.longest:
            units = "tokens" if self.texts else "characters"
            raise ValueError(
                f"A line of {self.name} has 1 to {self.longest} {units}; got {len(tokens)}: "
                f"{cut(in_one_line(line), 40)!r}."
            )
        result = np.full(self.event_shape, self.padding, np.int32)
        result[self.start : self.start + len(tokens)] = tokens
        if self.labels:
            result[0] = self.label_token(label)
        return result

    def signs(self, line: str, gap: str = "") -> str:
        """A character for each token of a typed line, and for each `gap` that it holds.

        Raises:
            ValueError: for what is no symbol of SELFIES; and if a tokenizer has made the tokens.
        """
        if not self.texts:
            return line
        if self.writing == SELFIES:
            return selfies.signs(line, self.texts, self.symbols, gap)
        raise ValueError(
            f"A tokenizer has made the tokens of {self.name}, and no typed line is cut into "
            "such tokens. Train on characters: tokens=''."
        )

    def have_label(self, x: np.ndarray) -> Bool[np.ndarray, "N"]:
        """Whether the rule computes the label of a row of its line, of each of rows (N, L + 1)."""
        found = (line_properties.label(line, self.label_rule) for line in self.lines(x))
        return np.array([self.label(row) == b for row, b in zip(x, found, strict=True)], bool)

    def pieces(self, x: ArrayLike) -> list[str]:
        """What each token of a row adds to it: padding nothing, a label its name and a colon."""
        tokens = np.asarray(x)
        texts = super().pieces(tokens)
        if self.texts:
            known = dict(enumerate(self.texts))
            texts = [known.get(k, text) for k, text in zip(tokens.tolist(), texts, strict=True)]
        for place in np.flatnonzero((tokens >= len(self.symbols)) & (tokens < self.num_classes)):
            named = int(tokens[place]) - self.first_label
            texts[place] = "" if named < 0 else f"{in_one_line(self.labels[named])}: "
        return texts

    def decode(self, x: ArrayLike) -> str:
        """The line of a row of tokens, whatever states they are, without label and padding."""
        return self._written(super().decode(np.asarray(x)[self.start :]))

    def _written(self, text: str) -> str:
        """The line that the texts of tokens make up; of SELFIES with noise these themselves."""
        if self.writing != SELFIES or {NOISE_SIGN, UNUSED_SIGN} & {*text}:
            return text
        return selfies.smiles(text)

    def show(self, x: ArrayLike) -> str:
        """The line of a row of tokens, after its label and a colon."""
        return "".join(self.pieces(np.asarray(x)[: self.start])) + self.decode(x)

    def read(self, text: str) -> tuple[str, str]:
        """The label and the line of a text as `show` writes it; no label if none begins it."""
        for label in sorted(self.labels, key=len, reverse=True):
            if text.startswith(start := f"{in_one_line(label)}: "):
                return label, text.removeprefix(start)
        return "", text

    def lines(self, x: np.ndarray) -> Iterator[str]:
        """`decode` of many rows (N, ...), which is faster than one at a time."""
        if self.texts:
            yield from map(self.decode, x)
            return
        signs = np.array([*map(ord, [*self.symbols, NOISE_SIGN, UNUSED_SIGN])], np.uint32)
        for start in range(0, len(x), BLOCK):
            part = np.asarray(x[start : start + BLOCK], np.int64)
            inside, part = self.inside(part)[:, self.start :], part[:, self.start :]
            places = np.where(part < 0, len(signs) - 1, np.minimum(part, len(self.symbols)))
            points = np.where(inside, signs[places], 0).astype("<u4")  # numpy drops zeros at ends
            yield from points.view(f"<U{self.longest}").ravel().tolist()

    def summary(self, sizes: Mapping[str, int]) -> str:
        """The name, sizes of splits, lengths, lines that are left out, characters and labels."""
        result = [f"{self.name}: {listed(sizes)} lines of 1 to {self.longest} {self.token}s"]
        most = self.statistics.get("usual_length", self.longest)
        if 2 * most < self.longest:
            result[0] += f"; {SHARE:.1%} have at most {most}: length={most} is much faster"
        left_out = self.statistics.get("left_out", {}).items()
        if counts := [f"{number:,} {what}" for what, number in left_out if number]:
            result.append(f"left out: {', '.join(counts)}")
        if self.texts:
            shown = cut(in_one_line(" ".join(self.texts)), 200)
            result.append(f"{len(self.texts):,} tokens: {shown}")
        else:
            result.append(f"alphabet of {len(self.symbols)}: {self.symbols!r}")
        if self.labels:
            shown = cut(in_one_line(", ".join(self.labels)), 200)
            by = f", {self.label_rule} by rule" if self.label_rule else ""
            result.append(f"{len(self.labels)} labels{by}: {shown}")
        return "\n".join(result)


def usual(lengths: Integer[np.ndarray, "N"]) -> int:
    """The least length that 99.9 % of lines do not exceed."""
    return int(np.quantile(lengths, SHARE, method="inverted_cdf"))


def smoothed(counts: Integer[np.ndarray, "L"]) -> tuple[float, ...]:
    """Shares of lines of 1 to L tokens by their counts, add-half smoothed: (L,), sum one."""
    shares = counts + 0.5
    return tuple((shares / shares.sum()).tolist())
