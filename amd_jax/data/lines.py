"""Your own lines as a data set: molecules, proteins, names, each of its own length.

`load(path)` reads plain lines, .smi and FASTA (also packed), and a column of a CSV.
"""

import collections
import dataclasses
import functools
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from amd_jax.data.dataset import Source, SplitRows, frequencies, shuffled
from amd_jax.data.reading import line_pairs, line_tokens
from amd_jax.data.reading.line_pairs import Pairs
from amd_jax.data.reading.line_tokenizers import Tokenizer
from amd_jax.facts import UNKNOWN_SIGN, LineFacts
from amd_jax.facts.lines import NO_RDKIT, SELFIES, SHARE, smoothed, usual
from amd_jax.host import memory
from amd_jax.host.printable import cut, in_one_line

FEWEST = 20  # distinct lines: one of each split, 90/5/5
MOST_CLASSES = 1 << 16  # characters, padding and labels: two bytes a token, one for 256
MOST_LABELS = 128
PADDED = 1 << 30  # bytes of rows that a few long lines may lead to without a word
FAR = 10  # times as long as usual lines are those
LONGER = ("drop", "cut", "window")


@dataclasses.dataclass(frozen=True, eq=False)
class Lines(SplitRows):
    """Rows of a line each, padded to the longest one: those of `LineFacts`."""

    symbols: str  # (K,), the characters: token k is symbols[k]
    tokens: Mapping[str, Source]  # split -> (N, L), or a function that reads them
    labels: tuple[str, ...] = ()
    validity: str = ""
    name: str = "lines"
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)  # reason -> lines
    label_rule: str = ""  # that computes the labels, if one does
    texts: tuple[str, ...] = ()  # (K,), of tokens of several characters: see `LineFacts`
    writing: str = ""

    @functools.cached_property
    def facts(self) -> LineFacts:
        """What a model needs to know of the lines; shares are those of training lines."""
        x = self.rows("train")
        line = x[:, 1:] if self.labels else x
        lengths = np.sum(line != len(self.symbols), axis=1)
        counts = np.bincount(lengths, minlength=line.shape[1] + 1)
        return LineFacts.of(
            self.symbols,
            smoothed(counts[1:]),
            self.labels,
            self.validity,
            self.name,
            frequencies(x, len(self.symbols) + 1 + len(self.labels)),
            {"left_out": dict(self.left_out), "usual_length": usual(lengths)},
            self.label_rule,
            self.texts,
            self.writing,
        )

    def check(self, split: str, x: np.ndarray) -> None:
        """Raises ValueError for what are no rows of lines."""
        if x.ndim != 2 or not len(x):
            raise ValueError(f"A split is rows of lines; {split} of {self.name} is {x.shape}.")


def load(
    path: str,
    length: int = 0,
    column: str = "",
    label: str = "",
    longer: str = "drop",
    min_count: int = 1,
    validity: str = "",
    test_path: str = "",
    tokens: str = "",
) -> Lines:
    """Your own lines, split 90/5/5 after a permutation; `test_path` is the test split.

    A line that occurs again does not count again: no two splits share a line, and lines of the
    test file leave training. The alphabet is every character of the lines, sorted; those that
    occur less often than `min_count` share one symbol, U+FFFD.

    Args:
        path: plain lines, .smi or FASTA, also packed; or a CSV, Parquet or Arrow file.
        length: the most tokens of a line; 0 is the longest line.
        column: of a CSV, that of the lines.
        label: of a CSV, a column of labels; or a rule that computes them of SMILES: "rings",
            "branches", "heteroatoms".
        longer: what is done with longer lines: "drop", "cut" them there, or "window": go on in
            a new line.
        min_count: how often a character occurs that has a symbol of its own.
        validity: the rule that says which lines are valid: "smiles", "rdkit", "protein".
        test_path: the file of test lines, of the same format.
        tokens: "" for a token a character; "selfies" for molecules as SELFIES; or the
            tokenizer.json of the package tokenizers, whose tokens have to give back each line.

    Raises:
        ValueError: in one line, for a file that holds no lines, or other lines than are told.
    """
    _check(length, longer, validity)
    rule = line_pairs.label_rule(path, column, label)
    if rule and longer != "drop":
        raise ValueError(f"{rule} is a label of whole lines; got longer={longer!r}. Use 'drop'.")
    counts: collections.Counter[str] = collections.Counter()
    (pairs, test), texts = _read((path, test_path), column, label, rule, tokens, counts)
    given, length = length, length or max((len(line) for line, _ in pairs), default=1)
    pairs, test = (line_pairs.distinct(each, length, longer, counts) for each in (pairs, test))
    in_test = {line for line, _ in test}
    counts["also in the test file"] = sum(line in in_test for line, _ in pairs)
    pairs = [pair for pair in pairs if pair[0] not in in_test]
    name = in_one_line(Path(path).name)
    order, ends = _split([line for line, _ in pairs], bool(test_path), name)
    symbols = line_tokens.symbols([line for line, _ in pairs], min_count)
    by_size = (lambda text: (len(text), text)) if rule else None  # 9 before 10
    labels = tuple(sorted({text for _, text in pairs}, key=by_size)) if label else ()
    _check_classes(symbols, labels, label, path)
    _check_memory(pairs, length, path, _kind(symbols, labels).itemsize, bool(given))
    x = _tokens(pairs, symbols, labels, length)[order]
    splits = dict(zip(("train", "validation", "test"), np.split(x, ends), strict=False))
    if test_path:
        _check_test(test, symbols, labels, test_path, texts)
        splits["test"] = _tokens(test, symbols, labels, length)
    return Lines(
        symbols,
        splits,
        labels,
        validity,
        name,
        dict(counts),
        rule,
        tuple(texts.get(sign, sign) for sign in symbols) if texts else (),
        SELFIES if tokens == SELFIES else "",
    )


def _read(
    paths: Sequence[str],
    column: str,
    label: str,
    rule: str,
    tokens: str,
    counts: collections.Counter[str],
) -> tuple[list[Pairs], Mapping[str, str]]:
    """The lines of files with their labels, and the text of each sign if tokens have texts."""
    found = [
        line_pairs.read(path, column, "" if rule else label) if path else [] for path in paths
    ]
    if rule:
        found = [line_pairs.labelled(pairs, rule, counts) for pairs in found]
    if not tokens:
        return found, {}
    tokenizer = Tokenizer(tokens)
    return [tokenizer.pairs(pairs, counts) for pairs in found], tokenizer.texts


def _check(length: int, longer: str, validity: str) -> None:
    """Raise ValueError for what can be known without the data."""
    if length < 0:
        raise ValueError(f"length is 1 or more, or 0 for the longest line; got {length}.")
    if longer not in LONGER:
        raise ValueError(f"longer is one of {', '.join(LONGER)}; got {longer!r:.60}.")
    if longer == "window" and not length:
        raise ValueError("Windows have a length; got length=0. Give length=256.")
    if validity == "rdkit" and importlib.util.find_spec("rdkit") is None:
        raise ValueError(NO_RDKIT)
    LineFacts.of("a", (1.0,), validity=validity)  # is it a rule?


def _split(
    lines: Sequence[str], own_test: bool, name: str
) -> tuple[Integer[np.ndarray, "N"], Integer[np.ndarray, "_"]]:
    """An order of the lines, and where splits end in it; equal lines stay together."""
    places: dict[str, int] = {}
    ids = np.fromiter((places.setdefault(line, len(places)) for line in lines), np.int64)
    if len(places) < FEWEST:
        raise ValueError(
            f"Lines are split 90/5/5, so {FEWEST} different ones are needed; {name} has "
            f"{len(places)} that are used. Use more, or a greater length."
        )
    ranks = np.argsort(shuffled(len(places)))[ids]
    order = np.argsort(ranks, kind="stable")
    shares = np.array([95] if own_test else [90, 95])
    return order, np.searchsorted(ranks[order], len(places) * shares // 100)


def _check_classes(symbols: str, labels: Sequence[str], label: str, path: str) -> None:
    """Raise ValueError for a column that is no label, and for too many classes."""
    if label and not 2 <= len(labels) <= MOST_LABELS:
        raise ValueError(
            f"A label has 2 to {MOST_LABELS} values; {in_one_line(label)} of {path} has "
            f"{len(labels):,}. Use another column, or join values."
        )
    if len(symbols) + 1 + len(labels) > MOST_CLASSES:
        raise ValueError(
            f"Characters and labels are {MOST_CLASSES - 1:,} at most; {path} has {len(symbols):,} "
            f"and {len(labels)}. Let rare characters share one symbol: min_count=10."
        )


def _check_test(
    test: Pairs, symbols: str, labels: Sequence[str], path: str, texts: Mapping[str, str]
) -> None:
    """Raise ValueError for test lines of unknown characters or labels, or for none at all."""
    if not test:
        raise ValueError(f"A split has a line; those of {path} are all too long.")
    known = {*symbols}
    odd = {c for line, _ in test for c in line} - known
    if odd and UNKNOWN_SIGN not in known:
        sign = min(odd)
        line = next(line for line, _ in test if sign in line)
        sign, line = ("".join(texts.get(c, c) for c in text) for text in (sign, line))
        raise ValueError(
            f"The characters of test lines are those of training lines; {path} has {sign!r} in "
            f"{cut(in_one_line(line), 60)!r}. Leave that line out, or let rare characters share "
            "one symbol: min_count=10."
        )
    for text in sorted({text for _, text in test} - {*labels} if labels else ()):
        raise ValueError(
            f"The labels of test lines are those of training lines; {path} has "
            f"{cut(in_one_line(text), 60)!r}. Leave such lines out."
        )


def _kind(symbols: str, labels: Sequence[str]) -> np.dtype:
    """The type of tokens: one byte if that is enough."""
    return np.dtype(np.uint8 if len(symbols) + 1 + len(labels) <= 256 else np.uint16)


def _check_memory(pairs: Pairs, length: int, path: str, size: int, given: bool) -> None:
    """Raise ValueError for rows that do not fit into memory, or are large for a few long lines.

    A length that is `given` is taken at its word.
    """
    most = usual(np.fromiter((len(line) for line, _ in pairs), np.int64))
    memory.check(
        2 * size * len(pairs) * (length + 1),
        f"Rows of {length:,} tokens for the {len(pairs):,} lines of {path}",
        f"{SHARE:.1%} of them have at most {most:,} characters: give length={most}.",
    )
    if not given and length > FAR * most and size * len(pairs) * length > PADDED:
        raise ValueError(
            f"Lines are padded to the longest; {path} has lines of {most:,} characters, and one "
            f"of {length:,}: padded to it, they take {size * len(pairs) * length:,} bytes. Give "
            f"length={most}, or length={length} for all of that."
        )


def _tokens(
    pairs: Pairs, symbols: str, labels: Sequence[str], length: int
) -> Integer[np.ndarray, "N L"]:
    """The rows of lines: see `LineFacts`."""
    lines = [line for line, _ in pairs]
    x = line_tokens.encode(lines, symbols, length, _kind(symbols, labels))
    if not labels:
        return x
    places = {label: len(symbols) + 1 + place for place, label in enumerate(labels)}
    first = np.fromiter((places[label] for _, label in pairs), x.dtype)
    return np.concatenate([first[:, None], x], axis=1)
