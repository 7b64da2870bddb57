"""What a run keeps of its data: saved and read again, shown, and checked."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pytest

from amd_jax import facts
from amd_jax.facts import Facts, LineFacts, MapFacts, PlaneFacts, TextFacts, field_types

KINDS = {
    "arrays": Facts(3, (2, 4), frequencies=(0.1, 0.2, 0.7), statistics={"mean": [1.5, 2.0]}),
    "text": TextFacts(2, (7,), name="a", alphabet="é☃", padding=1),
    "lines": LineFacts.of(
        "CNO", (0.5, 0.25, 0.25), ("no", "yes"), "smiles", frequencies=[1 / 6] * 6
    ),
    "bytes": TextFacts(256, (7,), unit="byte"),
    "maps": MapFacts(2, (3, 4), palette=((0, 0, 0), (1, 2, 3)), names=("sky", "sea")),
    "labelled maps": MapFacts(
        4, (7,), palette=((0, 0, 0), (1, 2, 3)), labels=("no", "yes"), size=(2, 3)
    ),
    "points": PlaneFacts(9, (2,)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_facts_come_back_from_json_as_they_were(kind):
    saved = json.dumps(KINDS[kind].to_json())
    result = facts.from_json(json.loads(saved))
    assert type(result) is type(KINDS[kind])
    assert json.dumps(result.to_json()) == saved
    assert result.frequencies == KINDS[kind].frequencies


def test_a_kind_of_ones_own_comes_back():
    @dataclasses.dataclass(frozen=True)
    class Molecules(TextFacts):
        atoms: tuple[str, ...] = ()
        kind = "molecules"

    result = facts.from_json(Molecules(2, (5,), alphabet="CO", atoms=("C", "O")).to_json())
    assert isinstance(result, Molecules)
    assert result.atoms == ("C", "O")


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"kind": "sounds"},
            "of the kind arrays, .*lines, .*maps, .*points, .*text, tokens; got 'sounds'",
        ),
        ({"kind": "text", "pitch": 3}, "not the facts of text: .*'pitch'"),
        ({"kind": "text", "num_classes": 3, "event_shape": [2], "alphabet": "ab"}, "2 symbols"),
        ({"kind": "arrays", "num_classes": 1, "event_shape": [2]}, "2 classes or more"),
        ({"kind": "arrays", "num_classes": 3, "event_shape": [0]}, r"1 token or more.*\(0,\)"),
        (
            {"kind": "arrays", "num_classes": 3, "event_shape": [2], "frequencies": [1.0]},
            "one number for each of 3 classes; data has 1",
        ),
    ],
)
def test_what_are_no_facts_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        facts.from_json(fields)


def test_log_frequencies():
    np.testing.assert_allclose(KINDS["arrays"].log_frequencies, np.log([0.1, 0.2, 0.7]))
    with pytest.raises(ValueError, match="facts of data hold no frequencies"):
        KINDS["points"].log_frequencies  # noqa: B018


def test_characters_become_tokens_and_come_back():
    letters = TextFacts(3, (4,), alphabet="abc")
    assert letters.encode("cab").tolist() == [2, 0, 1]
    assert letters.decode([2, 0, 1]) == "cab"
    assert letters.decode([0, 3, -1, 1]) == "a░\ufffdb"  # noise, and a code of no class
    assert letters.encode("aXb", unknown=2).tolist() == [0, 2, 1]
    assert letters.known("aXb") == [True, False, True]
    with pytest.raises(ValueError, match="got 'X' at position 1"):
        letters.encode("aXb")


def test_a_sign_for_rare_characters_stands_for_all_of_them():
    letters = TextFacts(3, (4,), alphabet="ab\ufffd")
    assert letters.encode("aXb").tolist() == [0, 2, 1]


def test_bytes_show_as_the_characters_they_make():
    text = KINDS["bytes"]
    tokens = text.encode("aé☃").tolist()
    assert len(tokens) == 6
    assert text.pieces(tokens) == ["a", "", "é", "", "", "☃"]
    assert text.decode(tokens) == "aé☃"
    assert text.decode([tokens[1], 256, 97]) == "\ufffd░a"  # cut off by a mask
    assert text.decode([0xC3]) == "\ufffd"


def test_summaries():
    assert KINDS["text"].summary({"train": 1000}) == (
        "a: train 1,000 rows of 7 chars\nalphabet of 2: 'é☃'"
    )
    shares = dataclasses.replace(KINDS["maps"], frequencies=(0.25, 0.75))
    assert shares.summary({"train": 2, "test": 1}).splitlines() == [
        "data: train 2, test 1 maps of 3 x 4 pixels",
        "2 categories: sky 25.00%, sea 75.00%",
    ]
    many = MapFacts(40, (3, 4), palette=((0, 0, 0),) * 40, frequencies=(1 / 40,) * 40)
    assert many.summary({"train": 1}).endswith("15 2.50%, ...")
    rising = dataclasses.replace(many, frequencies=tuple(k / 780 for k in range(40)))
    named = rising.summary({"train": 1}).partition("categories: ")[2]
    assert [part.split()[0] for part in named.split(", ")] == [*map(str, range(24, 40)), "..."]


@pytest.mark.parametrize(
    ("kind", "fitting", "others"),
    [
        (int, [0, -5, 10**300], [True, 1.0, "1", None]),
        (float, [0, 1.5, -2], [True, float("nan"), float("inf"), "1", None]),
        (bool, [True], [1, 0, None]),
        (str, ["", "a"], [1, b"a"]),
        (int | None, [1, None], ["", 1.0]),
        (tuple[int, ...], [(), (1, 2)], [1, [1], (1, "a"), ((1,),)]),
        (tuple[int, str], [(1, "a")], [(), (1,), ("a", 1), (1, "a", 2)]),
        (tuple, [(), (1, "a")], [1]),
        (list[int], [(), (1, 2)], [("a",), 1]),
        (Sequence[float], [(1.5,)], [("a",)]),
        (dict[str, int], [{}, {"a": 1}], [{"a": "b"}, (), 1]),
        (dict, [{"a": "b"}], [()]),
        (Mapping[str, Any], [{"a": ()}], [()]),
        (Any, [None, 1, ()], []),
        (Callable[[int], int], [abs], [int, 1]),
        (np.ndarray, [np.ones(2)], [1.0, (1.0,)]),
        (Literal["a"], ["a"], []),
    ],
)
def test_values_of_a_kind(kind, fitting, others):
    assert all(field_types.fits(value, kind) for value in fitting)
    assert not any(field_types.fits(value, kind) for value in others)


def test_a_kind_that_cannot_be_resolved_is_any():
    @dataclasses.dataclass
    class Mine:
        size: "NoSuchName"  # noqa: F821

    field_types.check(Mine, {"size": "anything", "unknown": 3}, "mine")


def test_lists_within_lists():
    assert facts.tuples([[1], {"a": [2]}]) == ((1,), {"a": (2,)})
    deep: Any = 1
    for _ in range(101):
        deep = [deep]
    with pytest.raises(ValueError, match="at most 100 deep"):
        facts.tuples(deep)
