"""Pages in a real browser: quiet, alone, by keyboard, in the hand, and accessible."""

import json

import numpy as np
import pytest

from amd_jax.pages import comparison, films, run_record
from tests import browser
from tests.pages import written
from tests.pages.written import ODD

pytestmark = pytest.mark.slow
CASES = ["text", "maps", "table", "lines", "several", "odd"]


@pytest.fixture(scope="module", params=CASES)
def page(request, tmp_path_factory):
    """The file of a page of each kind."""
    folder = tmp_path_factory.mktemp(request.param)
    facts = {"maps": written.MAPS, "table": written.TABLE, "lines": written.LINES}.get(
        request.param, written.TEXT
    )
    run = written.folder(folder / "run", facts=facts)
    if request.param == "several":
        other = written.folder(folder / "another", seed=1)
        (other / "samples_seed0.txt").write_text("a sample\n")
        text = comparison.page([run_record.read(run), run_record.read(other)])
    elif request.param == "odd":
        (run / "results.json").write_text(json.dumps([{"what": ODD, "value": 1.0}]))
        film = {"kind": "text", "frames": [{"t": t, "text": ODD} for t in (1.0, 0.0)]}
        text = written.page(run, model=ODD + "x" * 1000, film=film, legend=[(ODD, "#ffffff")])
    else:
        text = written.page(run, facts)
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.few(2)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [browser.DESK, browser.PHONE], ids=["desk", "phone"])
def test_a_page_is_quiet_narrow_and_accessible(page, dark, size):
    with browser.visit(dark=dark, **size) as visit:
        visit.open(page)
        visit.assert_accessible()
        visit.assert_narrow()
        assert visit.page.evaluate("document.querySelectorAll('body script').length") <= 2
        visit.assert_quiet()


@pytest.mark.parametrize("facts", [written.TEXT, written.MAPS], ids=["text", "maps"])
def test_a_film_is_played_and_walked_by_keyboard(tmp_path, facts):
    frames = written.drawn(facts).film["frames"]
    with browser.visit(**browser.PHONE) as visit:
        page = visit.open(written.file(tmp_path, facts))
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.locator(".skip").bounding_box()["x"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        slider = page.locator("input[type=range]")
        assert (slider.input_value(), slider.get_attribute("max")) == ("10", "10")
        slider.focus()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert slider.get_attribute("aria-valuetext") == "t = 0.20, frame 9 of 11"
        page.keyboard.press("Home")
        assert page.locator(".time").text_content() == "t = 1.00"
        first = shown(page, facts)
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        assert page.locator(".controls button").text_content() == "Pause"
        page.get_by_role("button", name="Play").wait_for()  # it rests at the end
        assert slider.input_value() == "10"
        assert shown(page, facts) != first
        if facts is written.TEXT:
            assert shown(page, facts) == "".join(frames[-1]["pieces"])
        visit.assert_quiet()


def shown(page, facts):
    """What the film shows: its text, or its picture in words."""
    screen = page.locator(".screen")
    return screen.text_content() if facts is written.TEXT else screen.get_attribute("aria-label")


def test_a_film_marks_what_changed_and_takes_frames_one_by_one(tmp_path):
    frames = [{"t": 1.0, "text": "abcdef"}, {"t": 0.0, "text": "aXYdeZ"}]
    film = {"kind": "text", "frames": frames}
    with browser.visit() as visit:
        page = visit.open(written.file(tmp_path, film=film))
        marks = page.locator(".screen mark")
        assert marks.all_text_contents() == ["XY", "Z"]
        assert "underline" in marks.first.evaluate("e => getComputedStyle(e).textDecorationLine")
        page.get_by_label("mark what changed").uncheck()
        assert marks.count() == 0
        assert page.locator(".screen").text_content() == "aXYdeZ"
        page.evaluate(
            "window.film = amdFilm(document.querySelector('[data-film]'),"
            " {kind: 'text', frames: []})"
        )
        for t, text in ((1.0, "a"), (0.5, "b"), (0.0, "c")):
            page.evaluate(f"film.add({{t: {t}, text: '{text}'}})")
            assert page.locator(".screen").text_content() == text
        page.evaluate("film.show(0); film.add({t: -1, text: 'd'})")
        assert page.locator(".screen").text_content() == "a"  # one has gone back
        visit.assert_quiet()


def test_a_film_of_maps_has_their_colours(tmp_path):
    states = np.array([[[1, -1]], [[9, 0]]])  # two maps of 1 x 2 pixels
    film = films.of_maps([(0.0, states)], written.MAPS)
    with browser.visit() as visit:
        page = visit.open(written.file(tmp_path, written.MAPS, film=film))
        result = page.evaluate(
            "(() => { const c = document.querySelector('canvas'); return [c.width, c.height, "
            "...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; })()"
        )
        assert result[:2] == [5, 1]
        colours = [tuple(result[i : i + 4]) for i in range(2, 22, 4)]
        magenta, grey = (255, 0, 255, 255), (128, 128, 128, 255)
        red = (*written.MAPS.palette[1], 255)
        assert colours == [red, magenta, (0, 0, 0, 0), grey, (0, 0, 0, 255)]
        assert page.locator("canvas").get_attribute("aria-label") == (
            "State at t = 0.00: category 1 25 %, codes of no class 25 %, noise 25 %, "
            "category 0 25 %"
        )


def test_a_command_is_copied_from_a_file(tmp_path):
    with browser.visit(**browser.PHONE) as visit:
        page = visit.open(written.file(tmp_path))
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        commands = page.locator("code.command").all_text_contents()
        buttons = page.get_by_role("button", name="Copy")
        assert buttons.count() == len(commands) >= 2
        buttons.last.click()
        page.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == commands[-1]
        page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject())")
        buttons.first.click()  # of a browser that keeps its clipboard from files
        page.get_by_role("button", name="Copied").first.wait_for()
        assert page.evaluate("getSelection().toString()") == commands[0]
        visit.assert_quiet()


def test_without_scripts_commands_are_there_and_no_button_is(tmp_path):
    with browser.visit(scripts=False, **browser.PHONE) as visit:
        page = visit.open(written.file(tmp_path))
        assert page.locator("code.command").count() >= 2
        assert page.locator("button").count() == 0
        visit.assert_quiet()
