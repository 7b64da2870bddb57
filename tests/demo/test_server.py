import asyncio
import base64
import dataclasses
import io
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
from PIL import Image

from amd_jax import models, options
from amd_jax.cli import infilling, inputs
from amd_jax.demo import (
    controls,
    demo_page,
    plain_words,
    request_parsing,
    server,
    session,
    text_diff,
)
from amd_jax.demo.turn_queue import Line
from amd_jax.demo.windows import windows
from amd_jax.diffusion import samplers
from amd_jax.evaluation import correction, gallery
from amd_jax.facts import TextFacts
from amd_jax.models.corrections import Correct, Edit
from tests.demo import works
from tests.demo.client import Client

HERE, FOREIGN = "http://127.0.0.1:7860", {"Host": "evil.example:7860"}
SENTENCE = "the quick brown fox jumps over the lazy dog"


def client(shown, **options):
    return Client(server.app(shown, **options))


def messages(answer):
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def error(answer):
    """The one line of an answer that is an error and nothing else."""
    (result,) = messages(answer)
    assert result["kind"] == "error"
    assert len(result["line"].splitlines()) == 1
    return result["line"]


@pytest.fixture(scope="module")
def text():
    """A text model, and its page."""
    shown = works.text(more=(works.Odd(),))
    return shown, client(shown)


@pytest.fixture(scope="module")
def maps():
    shown = works.maps()
    return shown, client(shown)


@pytest.fixture(scope="module")
def masked():
    shown = works.masked()
    return shown, client(shown)


@pytest.fixture(scope="module")
def masked_maps():
    return client(works.masked(works.MAPS))


def test_the_page_has_the_controls_that_the_model_declares(text):
    page = text[1].get("/").text
    for part in (
        *("ancestral", "odd one", "A sampler with a number of each kind.", "a real number"),
        *('data-number="warmth" data-kind="float"', 'value="1.5"', 'data-kind="bool"'),
        *('data-number="tune" data-kind="str"', 'value="low"', 'data-number="error_rate"'),
        *('data-number="steps" data-kind="int"', 'min="1"', "a–z and space"),
        '<select id="draw-ancestral-spacing" data-number="spacing"',  # of few values
        '<option value="cosine">cosine</option>',
        '<option value="uniform" selected>uniform</option>',
    ):
        assert part in page
    assert "second paragraph" not in page
    for name in ("style.css", "film.js", "demo.css", "demo.js"):
        assert f'"{name}"' in page
        assert text[1].get(f"/{name}").text


def test_every_number_of_the_library_has_words_a_step_and_limits_that_its_option_takes():
    every = [*samplers.ALL, *models.GaussianDiffusion.samplers, *models.Flow.samplers]
    every += [*models.Autoregressive.samplers, *models.Diffusion.editors]
    for option in every:
        fields = controls.template_fields(option, steps=50)
        assert fields["about"] == plain_words.OPTIONS[option.name]
        for number in fields["numbers"]:
            assert number["label"] == plain_words.NUMBERS[number["name"]].label
            if number["kind"] in ("int", "float"):
                low, high = number["least"], number["most"]
                assert low < high
                assert number["step"] == 1 or number["kind"] == "float"
                assert number["default"] is None or low <= number["default"] <= high
            if number["name"] == "steps":
                assert number["most"] == 50
            assert ("Empty: the usual number." in number["help"]) == (number["default"] is None)
    for option in (*samplers.ALL, *models.Diffusion.editors):
        for number in options.numbers(option):
            for limit in controls.limits(number) if number.kind is float else ():
                dataclasses.replace(option, **{number.name: limit})
    numbers = controls.template_fields(samplers.Ancestral(spacing=(1.0, 0.4, 0.0)))["numbers"]
    names = {number["name"] for number in numbers}
    assert {"steps", "temperature"} <= names
    assert "spacing" not in names  # times that are given


def test_a_page_without_editors_has_no_text_box_and_its_name_is_no_markup(maps):
    named = dataclasses.replace(works.flow(), name="<script>alert(1)</script>")
    for page in (maps[1].get("/").text, client(named).get("/").text):
        assert "textarea" not in page
        assert 'id="draw"' in page
        assert "<script>alert" not in page
    assert "sea" in maps[1].get("/").text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("editor", "asked", "given", "progress"),
    [
        (Correct(0.3), {}, SENTENCE, [0, 12, 20, 28, 33]),
        (Edit(0.6), {"seed": 5}, SENTENCE, [0, 12, 20, 28, 33]),
        *((Correct(0.3), {}, given, [0]) for given in ("the quick brown ", "the quic", "fox")),
    ],
)
def test_a_text_is_edited_window_by_window(editor, asked, given, progress, text):
    """Each of them with a key of its own, by the seed; in one window as the command does."""
    shown, page = text
    tokens, fixed = shown.facts.encode(given), []
    for seen, kept in windows(len(tokens), 16):
        arguments = shown.model, shown.params, tokens[None, seen]
        edited = correction.edited(editor, *arguments, **asked, first=seen.start)[0]
        assert kept.start == len(fixed)
        fixed += edited[kept.start - seen.start : kept.stop - seen.start].tolist()
    if len(given) <= 16:
        whole = correction.edited_text(editor, shown.model, shown.params, tokens, 16)
        assert fixed == whole.tolist()
    sent = {"text": given, "option": editor.name, "numbers": options.chosen(editor), **asked}
    *before, result = messages(page.post("/edit", sent))
    assert result["text"] == shown.facts.decode(fixed)
    assert works.shown(result["pieces"]) == [result["text"], given]
    assert result["changed"] == (np.array(fixed) != tokens).sum() > 0
    assert [m["done"] for m in before if m["kind"] == "progress"] == progress


@pytest.mark.slow
def test_texts_of_other_lengths_compile_nothing_new(masked):
    """What follows a short text with gaps is unknown, up to the model's own length."""
    sizes = (8, 16, *range(9, 16), 17, 30, len(SENTENCE))
    for asked, path, numbers, texts, first in (
        (client(works.text()), "/edit", {}, [SENTENCE[:size] for size in sizes], 2),
        (masked[1], "/fill", {"steps": 3}, ("f_x", "the ____k", "_", 15 * "a" + "_"), 1),
    ):
        compiling = [
            {"kind": "compiling"} in messages(asked.post(path, {"text": text, "numbers": numbers}))
            for text in texts
        ]
        assert compiling == [True] * first + [False] * (len(texts) - first)


@pytest.mark.slow
def test_a_text_is_filled_up_as_the_data_are():
    """With the padding that ends their rows, and of which nothing is shown."""
    facts = dataclasses.replace(works.TEXT, padding=0)
    shown = dataclasses.replace(works.text(), facts=facts)
    row = np.pad(facts.encode("the fox"), (0, 9))
    fixed = correction.edited(Correct(0.3), shown.model, shown.params, row[None])[0, :7]
    asked = {"text": "the fox", "numbers": {"error_rate": 0.3}}
    *_, result = messages(client(shown).post("/edit", asked))
    assert result["text"] == "".join(facts.pieces(fixed))


@pytest.mark.slow
def test_gaps_are_filled_as_the_command_does(masked):
    shown, page = masked
    *_, result = messages(page.post("/fill", {"text": "the ____k f_x", "number": 3, "seed": 2}))
    row = inputs.with_gaps(shown.facts, "the ____k f_x", "_")
    how = {"number": 3, "seed": 2, "sampler": shown.samplers[0]}
    drawn, told = infilling.fillings(shown.model, shown.params, row, shown.facts, **how)
    texts = [shown.facts.decode(x[:13]) for x in drawn]
    assert [(one["text"], one["name"]) for one in result["fillings"]] == [
        *zip(texts, told, strict=True)
    ]
    for one in result["fillings"]:
        assert [mark for _, mark in one["pieces"]] == ["", "changed", "", "changed", ""]
        assert "".join(text for text, _ in one["pieces"]) == one["text"]
        assert re.fullmatch("the .{4}k f.x", one["text"])


def test_the_page_of_masks_fills_and_corrects_nothing(masked, text):
    page, other = masked[1].get("/").text, text[1].get("/").text
    for part in (
        *("Fill gaps in a text", "exact", 'data-number="strength"', ">Edit</button>"),
        "Have a text edited, fill gaps in a text, or watch noise become text.",
    ):
        assert part in page
        assert part not in other or "strength" in part
    assert 'name="text"' in page.partition('id="fill"')[2]
    assert 'id="damage"' not in page
    assert 'id="fill"' not in other
    assert "fill.js" not in other
    assert "Correct or edit a text" in other


@pytest.mark.parametrize(("length", "hidden"), [(16, 7), (64, 7 + 1), (256, 7 + 6 + 6)])
def test_the_example_has_gaps_that_the_model_can_fill(length, hidden):
    facts = dataclasses.replace(works.TEXT, event_shape=(length,))
    text = demo_page.with_gaps(facts)
    row = inputs.with_gaps(facts, text, "_")
    assert row.wanted.sum() == hidden
    assert row.known.sum() == len(text) - hidden
    assert not (row.known & row.wanted).any()
    assert demo_page.with_gaps(TextFacts(2, (64,), alphabet="ab")) == ""


def test_the_text_to_correct_has_errors_from_the_start(text):
    page = text[1].get("/").text
    (given,) = re.findall(r'<textarea id="text"[^>]*>([^<]*)</textarea>', page)
    pairs = list(zip(given.split(" "), demo_page.EXAMPLE.split(" "), strict=True))
    wrong = {right: word for word, right in pairs if word != right}
    assert wrong == demo_page.MISSPELT
    assert all(len(word) == len(right) for right, word in wrong.items())


@pytest.mark.parametrize(
    ("alphabet", "sign", "line"),
    [
        (" ab", "_", "Write <kbd>_</kbd> for every unknown character. The model knows"),
        (
            " ab_",
            "~",
            "Write <kbd>~</kbd> for every unknown character, as this model’s texts may ",
        ),
        (
            None,
            "_",
            "Write <kbd>_</kbd> for every unknown character; the text itself can have none.",
        ),
        ("^_~|", "#", "Write <kbd>#</kbd>"),
        (works.PRINTABLE, "▁", "Write <kbd>▁</kbd>"),
    ],
)
def test_a_gap_is_a_sign_that_the_data_do_not_have(alphabet, sign, line):
    facts = TextFacts(256 if alphabet is None else len(alphabet), (16,), alphabet=alphabet)
    assert request_parsing.gap_of(facts) == sign
    assert line in client(works.masked(facts)).get("/").text


@pytest.mark.slow
def test_a_hole_is_filled_and_the_rest_kept(masked_maps):
    x = np.arange(24).reshape(4, 6) % 3
    inside = inputs.hole(works.MAPS, **{"top": 1, "left": 2, "rows": 2, "columns": 3})
    asked = {"map": np.where(inside, None, x).tolist(), "number": 3}
    *_, result = messages(masked_maps.post("/fill", asked))
    fillings = np.array([one["map"] for one in result["fillings"]])
    assert fillings.shape == (3, 4, 6)
    assert (fillings[:, ~inside] == x[~inside]).all()
    assert fillings.max() < 3
    assert len(np.unique(fillings[:, inside], axis=0)) == 3, "each is drawn by itself"
    assert all(" a pixel" in one["name"] for one in result["fillings"])


def png(pixels):
    """A PNG of categories, in base64."""
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


def test_a_map_is_opened_and_what_is_none_is_told_by_its_name(maps):
    x = np.arange(24).reshape(4, 6) % 3
    (result,) = messages(maps[1].post("/open", {"name": "mine.png", "png": png(x)}))
    assert result == {"kind": "opened", "map": x.tolist()}
    for content, line in {
        png(np.zeros((3, 6))): "maps of 4 x 6 pixels; mine.png has 3 x 6",
        png(np.full((4, 6), 3)): "must be in [0, 3); got 3 in mine.png at row 0",
        base64.b64encode(b"GIF").decode(): "mine.png",
        "%": "in base64; this is none",
        3: "A map has a name",
    }.items():
        seen = error(maps[1].post("/open", {"name": "mine.png", "png": content}))
        assert line in seen
        assert "/tmp" not in seen


ROWS = np.zeros((4, 6), int).tolist()


def test_what_cannot_be_filled_is_told(masked, masked_maps):
    odd = ({"map": [[*row[1:], odd] for row in ROWS]} for odd in (3, -1, 0.5, False))
    for asked, line in (
        ({"text": "the fox"}, "The text has no gap. Write _ for every unknown character."),
        ({"text": 3}, "text is a text; got 3"),
        ({"text": "f_x", "number": 17}, "Samples must be at most 16"),
        ({"text": "f_x", "option": "odd"}, "sampler must be one of ancestral"),
        ({"map": ROWS}, "The map has no hole. Paint over a part of it"),
        ({}, "There is no map yet"),
        ({"map": ROWS[1:]}, "A map is 4 x 6 categories in [0, 3), or null where it is unknown"),
        ({"map": "none"}, "categories in [0, 3)"),
        *((asked, "categories in [0, 3)") for asked in odd),
    ):
        page = masked[1] if "text" in asked else masked_maps
        assert line in error(page.post("/fill", asked))


BYTES = TextFacts(256, (16,), "bytes")


@pytest.mark.parametrize(
    ("facts", "shared", "changes"),  # what stays, and between it (what is new, what stood there)
    [
        (works.TEXT, ["", " quick ", " fox"], [("the", "thx"), ("brown", "brwwn")]),
        (works.TEXT, ["the ", " ", ""], [("quick", "qu ck"), ("brown fox", "brownxfox")]),
        (works.TEXT, [25 * "ab", 24 * "ab"], [("cc", "ab")]),  # without spaces not the whole
        (BYTES, ["a ", " b"], [("è", "é")]),  # two bytes, of which one is changed
        (BYTES, [50 * "x", ""], [("è", "é")]),
    ],
)
def test_changed_words_are_marked_whole_with_what_stood_there(facts, shared, changes):
    pieces = [(shared[0], "", shared[0])]
    for (new, old), same in zip(changes, shared[1:], strict=True):
        pieces += [(new, "changed", old), (same, "", same)]
    made, _, given = map("".join, zip(*pieces, strict=True))
    result = text_diff.edited(facts, given, facts.encode(given), facts.encode(made))
    assert [tuple(piece) for piece in result["pieces"]] == [p for p in pieces if p[0]]
    assert result["foreign"] == 0
    assert result["changed"] == sum(a != b for pair in changes for a, b in zip(*pair, strict=True))
    assert result["words"] == len(changes)


def test_keeps_characters_that_the_alphabet_lacks(text):
    given = "Ünïcode 😀 a\x07\ud83db\r\nc"
    *_, result = messages(text[1].post("/edit", {"text": given}))
    assert result["foreign"] == 6
    foreign = [sign for sign in result["text"] if sign not in works.TEXT.alphabet]
    assert foreign == ["Ü", "ï", "😀", "\x07", "\ufffd", "\n"]
    given = request_parsing.text_of({"text": given})
    tokens = works.TEXT.encode(given, unknown=0)
    pieces = text_diff.edited(works.TEXT, given, tokens, tokens)["pieces"]
    kept = [piece for piece, mark, _ in pieces if mark == "kept"]
    assert kept == ["Ü", "ï", "😀", "␇\ufffd", "\n"]


TOO_LONG = "a" * (request_parsing.LONGEST + 1)


def of_numbers(option="ancestral", **numbers):
    return {"option": option, "numbers": numbers}


@pytest.mark.parametrize(
    ("path", "asked", "line"),
    [
        ("/edit", {"text": ""}, "The text must not be empty"),
        ("/edit", {"text": TOO_LONG}, "at most 16,384 characters here; this one has 16,385"),
        ("/edit", {}, "text is a text; got None"),
        ("/edit", {"text": "a", "numbers": {"error_rate": 2}}, "be at most 0.99 here; got 2"),
        ("/edit", {"text": "a", "numbers": {"error_rate": "x"}}, "Share of errors is a number"),
        ("/edit", {"text": "a", "numbers": {"rate": 1}}, "error_rate; got 'rate'"),
        ("/edit", {"text": "a", "numbers": [1]}, "a number for each name"),
        ("/edit", {"text": "a", "option": "mend"}, "one of correct, edit; got 'mend'"),
        ("/edit", {"text": "a", "seed": -1}, "Seed must be at least 0"),
        ("/draw", of_numbers(steps=5), r"steps must be in \[1, 4\]"),
        ("/draw", of_numbers(steps=0), "Steps must be at least 1"),
        ("/draw", of_numbers(steps=1.5), "Steps is a whole number; got 1.5"),
        ("/draw", of_numbers(steps=True), "Steps is a whole number; got True"),
        ("/draw", of_numbers(steps=10**400), "Steps is a whole number"),
        ("/draw", of_numbers("odd_one", greedy=1), "likeliest is true or false"),
        ("/draw", of_numbers("odd_one", tune=1), "Tune is a text"),
        ("/draw", of_numbers("odd_one", warmth=True), "Warmth is a number"),
        ("/draw", {"number": 65}, "Samples must be at most 64"),
        ("/draw", {"seed": "x"}, "Seed is a whole number; got 'x'"),
        ("/damage", {"text": SENTENCE, "rate": 0}, r"in \(0, 1\); got 0"),
        ("/damage", {"text": SENTENCE, "rate": None}, r"in \(0, 1\); got None"),
        ("/damage", {"text": "😀ÄÖ", "rate": 0.1}, "no character"),
    ],
)
def test_what_cannot_be_done_is_told_in_place(text, path, asked, line):
    result = error(text[1].post(path, asked))
    assert re.search(line, result), result


def test_what_is_no_request_is_told_and_one_too_large_is_not_read_on(text):
    for content in (b"", b"{", b"[1]", b"3", b"[" * 100_000, b'"\xff"'):
        assert error(text[1].post("/draw", content)).startswith("A request is")
    line = error(text[1].post("/edit", {"text": "a" * server.LARGEST}))
    assert line.startswith("A request has at most 1,048,576 bytes")


def test_what_a_model_has_not_is_told(maps, text):
    flow = None, client(works.flow())
    for page, path, asked, line in (
        (maps, "/edit", {"text": "a"}, "edits no texts"),
        (maps, "/damage", {"text": "a", "rate": 0.1}, "no model of texts"),
        (maps, "/fill", {"map": ROWS}, "fills no gaps: that takes"),
        (text, "/fill", {"text": "f_x"}, "fills no gaps: that takes"),
        (text, "/open", {"name": "a", "png": ""}, "no model of maps"),
        (flow, "/draw", {"numbers": {"redraws": -1}}, "Repeats must be at least 0"),
    ):
        assert line in error(page[1].post(path, asked))


@pytest.mark.slow
def test_a_walk_comes_state_by_state(text):
    shown, page = text
    result = messages(page.post("/draw", {"seed": 3, "number": 2, "numbers": {"steps": 2}}))
    states = [m for m in result if m["kind"] == "state"]
    assert [m["frame"]["t"] for m in states] == [1.0, 0.5, 0.0]
    assert [(m["done"], m["of"]) for m in states] == [(1, 3), (2, 3), (3, 3)]
    sampler = type(shown.samplers[0])(steps=2)
    *_, (_, x) = shown.model.walk(shown.params, jax.random.key(3), (2, 16), 3, sampler)
    texts = [shown.facts.decode(row) for row in x]
    assert result[-1] == {"kind": "drawn", "texts": texts, "notes": []}
    assert "".join(states[-1]["frame"]["pieces"]) == "\n\n".join(texts)


def test_maps_come_as_frames_of_a_film(maps):
    result = messages(maps[1].post("/draw", {}))
    states = [np.array(m["frame"]["map"], float) for m in result if m["kind"] == "state"]
    assert len(states) == 5  # of four maps in a square, a gap between two
    assert {state.shape for state in states} == {(9, 13)}
    assert np.isnan(states[0]).sum() == 9 + 13 - 1
    assert result[-1]["texts"] == []


@pytest.mark.slow
def test_a_flow_draws_as_the_command_does():
    shown = works.flow()
    *_, state, drawn = messages(client(shown).post("/draw", {"number": 3, "seed": 1}))
    x = gallery.samples(shown.model, shown.params, jax.random.key(1), (3, 2), shown.samplers[0])
    assert drawn["texts"] == [shown.facts.show(row) for row in x]
    assert (state["done"], state["of"], state["frame"]["t"]) == (1, 1, 0.0)


def test_points_are_a_square_of_shades():
    shown = works.points()
    assert 'value="20000"' in client(shown).get("/").text
    *_, state, _ = messages(client(shown).post("/draw", {"number": 50}))
    shades = np.array(state["frame"]["map"])
    assert shades.shape == (3, 3)
    assert shades.min() == 0  # where most of the points are


@pytest.mark.slow
def test_gaps_of_a_line_are_filled_and_its_label_stays():
    page = client(works.lines(masks=True))
    start = page.get("/").text
    assert "A diffusion over lines of 1 to 5 characters." in start
    assert "fill gaps in a text" in start
    *_, result = messages(page.post("/fill", {"text": "yes: C_N", "number": 3}))
    assert all(re.fullmatch("yes: C[CNO]N", one["text"]) for one in result["fillings"])
    *_, state, drawn = messages(page.post("/draw", {"number": 3}))
    assert all(re.fullmatch("(no|yes): [CNO]{1,5}", text) for text in drawn["texts"])
    assert "\ue000" not in "".join(state["frame"]["pieces"])


def test_a_line_is_damaged_and_corrected_and_its_label_stays():
    page = client(works.lines(masks=False))
    (damaged,) = messages(page.post("/damage", {"text": "no: CCCCC", "rate": 0.9}))
    assert re.fullmatch("no: [CNO]{5}", damaged["text"])
    assert damaged["text"].count("C") == 1
    *_, result = messages(page.post("/edit", {"text": "yes: CNX", "numbers": {}}))
    assert re.fullmatch("(no|yes): [CNO]{3}", result["text"])
    assert "A label of molecules is one of no, yes" in error(page.post("/edit", {"text": "CNO"}))


@pytest.mark.parametrize("alphabet", [works.TEXT.alphabet, None])
def test_damages_so_many_characters_as_asked(alphabet):
    facts, given = works.TEXT if alphabet else BYTES, f"{SENTENCE} ÄÖ😀\n"
    result, again, other = (text_diff.damaged(facts, given, 0.25, seed) for seed in (7, 7, 8))
    assert result == again != other
    assert result[-4:] == given[-4:]
    changed = [a for a, b in zip(result, given, strict=True) if a != b]
    assert len(changed) == round(0.25 * (len(given) - 4))
    assert all(character.isascii() and character.isprintable() for character in changed)


def test_states_are_as_many_steps_apart_where_that_can_be():
    for steps in (1, 3, 8, 25, 40, 41, 97, 100, 250, 1000, 4000):
        count = session.states_of(steps)
        assert 2 <= count <= session.STATES
        assert steps in (97, 41) or steps % (count - 1) == 0
        assert count > 20 or steps < 20


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {}),
        (200, {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}),
        *((200, {"Host": name}) for name in ("localhost:7860", "[::1]:7860")),
        *((403, {"Host": name}) for name in ("127.0.0.1.evil.example", "[127.0.0.1", "")),
        (403, FOREIGN),
        *((403, {"Origin": o}) for o in ("http://evil.example", "http://127.0.0.1:8000", "null")),
        *((403, {"Sec-Fetch-Site": site}) for site in ("cross-site", "same-site")),
        (403, {"Content-Type": "text/plain"}),
        (403, {"Content-Type": "application/x-www-form-urlencoded"}),
    ],
)
def test_only_the_page_itself_may_ask(text, headers, status):
    asked = {"text": "abc", "rate": 0.5}
    assert text[1].post("/damage", asked, headers).status_code == status
    if "Host" in headers:
        assert text[1].get("/", headers=headers).status_code == status


def test_another_name_serves_where_others_are_let_in():
    page = Client(server.app(works.flow(), only_local=False), "lab:7860")
    assert page.get("/").status_code == 200
    assert page.post("/draw", {}, {"Origin": "http://evil.example"}).status_code == 403


def test_the_page_may_fetch_from_here_alone(text):
    for answer in (text[1].get("/"), text[1].get("/nothing"), text[1].get("/", headers=FOREIGN)):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy
        assert "unsafe" not in policy
    assert text[1].get("/nothing").status_code == 404


def test_a_failure_is_a_line_and_the_server_lives_on(text, monkeypatch, capsys):
    def broken(*_, **how):
        raise KeyError("no such\nthing")

    monkeypatch.setattr(correction, "edited", broken)
    *_, result = messages(text[1].post("/edit", {"text": "abc"}))
    assert result["line"].startswith("This failed: KeyError: ")
    assert "\n" not in result["line"]
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.undo()
    *_, result = messages(text[1].post("/edit", {"text": "abc"}))
    assert result["kind"] == "edited"


def answers(line, begin):
    return server.answered(line, ThreadPoolExecutor(1), begin, {})


def test_one_computes_and_the_others_wait_in_line():
    async def told():
        line, result = Line(), {}

        async def ask(name, parts):
            messages = [{"kind": name}] * parts
            result[name] = [json.loads(m) async for m in answers(line, lambda _: iter(messages))]
            order.append(name)

        order = []
        await asyncio.gather(ask("first", 3), ask("second", 1), ask("third", 1))
        return result, order, line

    result, order, line = asyncio.run(told())
    assert order == ["first", "second", "third"]
    waiting = [m["before"] for m in result["third"] if m["kind"] == "waiting"]
    assert waiting == [2, 1]
    assert result["first"] == [{"kind": "first"}] * 3
    assert line.tickets == []


def test_who_goes_is_not_worked_for_and_leaves_the_line():
    made = []

    def begin(_):
        for i in range(100):
            made.append(i)
            time.sleep(0.02)
            yield {"kind": "state", "done": i}

    async def told():
        line = Line()
        gone = answers(line, begin)
        await anext(gone)
        waiting = answers(line, lambda _: iter([{"kind": "mine"}]))
        first = json.loads(await anext(waiting))
        await gone.aclose()
        return line, first, [json.loads(m) async for m in waiting]

    line, first, rest = asyncio.run(told())
    assert len(made) < 20  # what is under way when somebody goes is finished
    assert first == {"kind": "waiting", "before": 1}
    assert rest == [{"kind": "mine"}]
    assert line.tickets == []


def test_too_many_are_sent_away():
    async def told():
        line, waiting = Line(), []
        with line.place():
            for _ in range(16):
                waiting.append(answers(line, lambda _: iter([])))
                await anext(waiting[-1])
            result = json.loads(await anext(answers(line, lambda _: iter([]))))
            for one in waiting:
                await one.aclose()
        return result

    assert asyncio.run(told())["line"].startswith("16 computations are waiting")
