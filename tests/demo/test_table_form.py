"""A row of a table in the demo: its fields, and the rest of it drawn."""

import json

import pytest

from amd_jax.demo import server, table_form
from amd_jax.evaluation.tables import conditional
from amd_jax.facts import Column, TableFacts
from tests import browser
from tests.demo import works
from tests.demo.client import Client
from tests.demo.test_browser import done, opened, tab_to
from tests.pages.written import TABLE, Seen


@pytest.fixture(scope="module")
def table():
    shown = works.table()
    return shown, Client(server.app(shown))


def messages(answer):
    return [json.loads(line) for line in answer.text.splitlines()]


def test_few_values_are_a_list_and_numbers_are_typed(table):
    colour, age, weight = table_form.fields(TABLE)
    assert colour == {"name": "colour", "choices": ["red", "a, b|c", "=cmd"], "help": ""}
    assert (age["help"], weight["help"]) == ("20 to 39.", "0.0 to 79.9.")
    names = Column("name", "categorical", values=tuple(map(str, range(100))))
    (field,) = table_form.fields(TableFacts.of([names]))
    assert field["help"] == "One of 100 values, such as 0."
    page = table[1].get("/").text
    assert "A diffusion over rows of 4 columns. Fill in the rest of a row" in page
    seen = Seen(page)
    known = [a["data-column"] for _, a in seen.elements if "data-column" in a]
    assert known == ["colour", "age", "weight"]
    assert 'id="file"' not in page


def test_the_rest_of_a_row_is_drawn_by_the_model(table):
    shown, page = table
    asked = {"row": {"colour": "a, b|c", "age": " ", "weight": ""}, "number": 3, "seed": 2}
    result = messages(page.post("/fill", asked))[-1]
    colour, age, weight, country = result["lines"]
    assert (colour["gap"], colour["draws"]) == (False, ["a, b|c"])
    assert (country["gap"], country["draws"]) == (False, ["here"])
    assert (age["gap"], weight["gap"]) == (True, True)
    assert len(age["draws"]) == len(weight["draws"]) == 3
    assert age["likely"][0].endswith("%")
    x = table_form.row_of(TABLE, {"row": {"colour": "a, b|c"}})
    rows = x.repeat(3, axis=0)
    drawn = conditional.filled_with_values(shown.model, shown.params, TABLE, rows, 2)
    assert result["note"] == f"Rows {drawn.describe()}."
    assert TABLE.decode(drawn.rows)["weight"] == weight["draws"]


def test_what_is_no_row_is_told_in_one_line(table):
    for row, line in (
        ({"colour": "green"}, "Known are red"),
        ({"name": "x"}, "A column is one of colour, age"),
        ({"age": 3}, "A row is a text of at most 200"),
        (None, "A row is a text of at most 200"),
        ({"colour": "red", "age": "30", "weight": "1.5"}, "The row has no gap"),
        ({"weight": "1e9"}, "They go from 0.0 to 79.9"),
    ):
        (found,) = messages(table[1].post("/fill", {"row": row}))
        assert found["kind"] == "error"
        assert line in found["line"]


@pytest.mark.slow
def test_a_form_is_filled_by_keyboard_and_by_mouse():
    with opened(works.table(), **browser.PHONE) as visit:
        page = visit.page
        tab_to(page, "#cell-1")
        page.keyboard.press("ArrowDown")
        tab_to(page, "#cell-2")
        page.keyboard.type("30")
        page.keyboard.press("Enter")
        done(page, "fill")
        rows = page.locator("#fillings tbody tr").all_inner_texts()
        assert rows[0].split("\t")[:2] == ["colour", "red"]
        assert rows[1].split("\t")[:2] == ["age", "30"]
        assert page.locator("#fillings mark").count() >= 1
        visit.assert_accessible()
        visit.assert_narrow()
        page.fill("#cell-2", "3000")
        page.click("#fill [type=submit]")
        page.locator(".answer[data-for=fill] [role=alert]", has_text="20 to 39").wait_for()
        assert not page.is_visible("#fillings")
        visit.assert_quiet()
