import json

import numpy as np
import pytest

from amd_jax.evaluation.reports import run_report
from amd_jax.evaluation.reports.token_report import TokenReport
from amd_jax.facts import TokenFacts, from_json
from amd_jax.pages import films, shows

TEXTS = (*(bytes([n]).decode("latin-1") for n in "é".encode()), " the", "a\n")
FACTS = TokenFacts(4, (6,), "tokens", texts=TEXTS)
NUMBERS = TokenFacts(4, (6,), "tokens")


def test_a_character_of_two_tokens_is_of_the_second():
    assert FACTS.pieces([2, 0, 1, 3]) == [" the", "", "é", "a\n"]
    assert FACTS.show([2, 0, 1, 3]) == FACTS.decode([2, 0, 1, 3]) == " theéa\n"


def test_bytes_that_are_no_character_and_noise_are_shown():
    assert FACTS.pieces([0, 2]) == ["", "\ufffd the"]
    assert FACTS.pieces([0, 4, 1, -1]) == ["", "\ufffd░", "\ufffd", "\ufffd"]
    assert FACTS.show([2, 0]) == " the\ufffd"


def test_without_texts_tokens_are_numbers():
    assert NUMBERS.pieces([2, 0, 4, -1]) == ["2 ", "0 ", "░ ", "\ufffd "]
    assert NUMBERS.show([2, 0, 4, -1]) == "2 0 ░ \ufffd"


def test_pages_show_pieces():
    frames = [(1.0, np.array([[4, 4]])), (0.0, np.array([[2, 3]]))]
    shown = [frame["pieces"] for frame in films.of(frames, FACTS)["frames"]]
    assert shown == [["░", "░"], [" the", "a⏎"]]
    assert shows.samples(np.array([[2, 0, 1]]), FACTS).texts == [" theé"]
    fixed = shows.correction(np.array([2, 2]), np.array([2, 3]), np.array([2, 3]), FACTS)
    assert fixed.caption.startswith("1 of 2 tokens were replaced")
    assert type(run_report.of(FACTS)) is TokenReport


@pytest.mark.parametrize(
    ("texts", "message"),
    [(("a",), "has 4 tokens and 1 texts"), (("a", "b", "c", "Ā"), "are bytes, below U")],
)
def test_texts_that_cannot_be_are_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        TokenFacts(4, (6,), texts=texts)


def test_come_back_from_json_and_have_a_summary():
    assert from_json(json.loads(json.dumps(FACTS.to_json()))) == FACTS
    first, second = FACTS.summary({"train": 1000}).split("\n")
    assert first == "tokens: train 1,000 rows of 6 tokens"
    assert second.startswith("vocabulary of 4: '")
