"""The demo in a real browser, and as a process of its own."""

import contextlib
import re
import signal
import socket
import threading
import time

import numpy as np
import pytest
import uvicorn
from PIL import Image

from amd_jax.demo import connections, server
from tests import browser
from tests.demo import works
from tests.faults.sending import finished
from tests.runs.process import python

pytestmark = pytest.mark.slow
SENTENCE = "the quick brwwn fox jumps over 😀 the lazy dog"
WORKS = {
    **{"text": works.text, "maps": works.maps, "flow": works.flow, "points": works.points},
    **{"gaps": works.masked, "holes": lambda: works.masked(works.MAPS)},
    "table": works.table,
}
LOOKS = [browser.DESK, browser.PHONE | {"dark": True}]


@contextlib.contextmanager
def served(shown):
    """The address of a demo within this process."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        running = uvicorn.Server(connections.config(server.app(shown)))
        thread = threading.Thread(target=running.run, args=([door],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


@contextlib.contextmanager
def opened(shown, **options):
    with served(shown) as address, browser.visit(allowed=(address,), **options) as visit:
        visit.open(address)
        yield visit


def done(page, name):
    """Waits for an answer."""
    place = page.locator(f".answer[data-for={name}] [role=status]")
    place.filter(has_text="Done in").wait_for(timeout=120_000)


def tab_to(page, selector):
    """Goes to an element by the tab key alone."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(f"document.activeElement.matches({selector!r})"):
            return
    raise AssertionError(f"the tab key does not reach {selector}")


CONTROLS = """[...document.querySelectorAll("a, button, input, select, textarea")]
  .filter((control) => control.checkVisibility())"""
FOCUSED = f"""() => {{
  const style = getComputedStyle(document.activeElement);
  const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [{CONTROLS}.indexOf(document.activeElement), seen];
}}"""


@pytest.mark.few(2)
@pytest.mark.parametrize("kind", [*WORKS])
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_is_quiet_narrow_and_accessible_and_every_control_is_reached_by_keyboard(kind, look):
    with opened(WORKS[kind](), **look) as visit:
        page, reached = visit.page, []
        visit.assert_accessible()
        visit.assert_narrow()
        for _ in range(page.evaluate(f"{CONTROLS}.length")):
            page.keyboard.press("Tab")
            reached.append(page.evaluate(FOCUSED))
        assert reached == [[i, True] for i in range(len(reached))]
        if kind == "text":
            page.fill("#text", SENTENCE)
            page.click("#edit [type=submit]")
            done(page, "edit")
        page.click("#draw [type=submit]")
        done(page, "draw")
        if kind in ("gaps", "holes"):
            page.fill("#gaps", "the ____k") if kind == "gaps" else page.click("#take")
            page.click("#fill [type=submit]")
            done(page, "fill")
        visit.assert_accessible()
        visit.assert_narrow()
        visit.assert_quiet()


def test_a_text_is_damaged_and_corrected_by_keyboard():
    with opened(works.text(), **browser.PHONE) as visit:
        page = visit.page
        tab_to(page, "#text")
        page.keyboard.press("Control+A")
        page.keyboard.type(SENTENCE)
        assert page.inner_text("#count") == str(len(SENTENCE))
        tab_to(page, "#damage")
        page.keyboard.press("Enter")
        page.wait_for_timeout(500)
        given = page.input_value("#text")
        assert given != SENTENCE
        page.focus("#text")
        page.keyboard.press("Control+Enter")
        done(page, "edit")
        assert "😀" in page.inner_text("#edited")
        new, old = (page.locator(f"#edited {tag}").all_inner_texts() for tag in ("ins", "del"))
        assert len(new) == len(old) > 0
        assert all(a != b and b in given for a, b in zip(new, old, strict=True))
        tab_to(page, "#before")
        page.keyboard.press("Space")
        assert page.locator("#edited del").count() == 0
        assert page.locator("#edited ins").all_inner_texts() == new
        line = rf"{len(new)} words? changed, \d+ characters?. 1 character that the model does not"
        assert re.match(line, page.inner_text("#verdict"))
        visit.assert_quiet()


def test_an_editor_is_chosen_and_the_button_says_which():
    with opened(works.text()) as visit:
        page = visit.page
        assert page.inner_text("#edit [type=submit]") == "Correct"
        assert not page.is_visible("#edit [name=seed]")
        page.select_option("#edit-option", "edit")
        assert page.inner_text("#edit [type=submit]") == "Edit"
        assert page.is_visible("#edit [name=seed]")
        page.fill("#text", SENTENCE)
        page.fill("#edit [data-number=strength]", "1")
        page.fill("#edit [name=seed]", "3")
        result = []
        for _ in range(2):
            page.click("#edit [type=submit]")
            page.wait_for_timeout(100)
            done(page, "edit")
            result.append(page.inner_text("#edited"))
            page.fill("#edit [name=seed]", "4")
        assert result[0] != result[1] != SENTENCE
        visit.assert_quiet()


def test_gaps_are_filled_by_keyboard():
    with opened(works.masked(), **browser.PHONE) as visit:
        page = visit.page
        tab_to(page, "#gaps")
        page.keyboard.press("Control+A")
        page.keyboard.type("the ____k f_x")
        assert page.inner_text("#gaps-count") == "13"
        page.fill("#fill-number", "3")
        page.keyboard.press("Enter")
        done(page, "fill")
        names = page.locator("#fillings figcaption").all_inner_texts()
        assert [name.split(":")[0] for name in names] == ["Filling 1", "Filling 2", "Filling 3"]
        for text in page.locator("#fillings pre").all_inner_texts():
            assert re.fullmatch("the .{4}k f.x", text)
        assert page.locator("#fillings mark.changed").count() == 6
        visit.assert_quiet()


def test_a_hole_is_painted_in_a_map_of_a_file_and_filled(tmp_path):
    x = np.arange(24).reshape(4, 6) % 3
    Image.fromarray(x.astype(np.uint8)).save(tmp_path / "mine.png")
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "other.png")
    row, column = np.indices((4, 6))
    middle = (row == 1) & (column // 2 == 1)
    stroke = middle | (row == 3)
    with opened(works.masked(works.MAPS)) as visit:
        page = visit.page
        alert = page.locator(".answer[data-for=fill] [role=alert]")
        page.set_input_files("#file", tmp_path / "other.png")
        alert.filter(has_text="maps of 4 x 6 pixels; other.png has 3 x 3").wait_for()
        page.set_input_files("#file", tmp_path / "mine.png")
        page.locator("#given canvas").wait_for()
        assert not alert.is_visible()
        assert np.array_equal(hidden(page), middle)
        page.fill("#brush", "1")
        drag(page, (0.9, 0.1), (0.9, 0.9))
        assert np.array_equal(hidden(page), stroke)
        assert page.inner_text("#hidden-part") == "8 of 24 pixels are hidden."
        page.select_option("#brush-does", "show")
        drag(page, (0.9, 0.1), (0.9, 0.1))
        assert np.array_equal(hidden(page), stroke & ~((row == 3) & (column == 0)))
        for before in (stroke, middle):
            page.click("#undo")
            assert np.array_equal(hidden(page), before)
        page.click("#fill [type=submit]")
        done(page, "fill")
        canvases = page.locator("#fillings canvas")
        assert canvases.count() == 4
        assert canvases.first.get_attribute("aria-label").startswith("filling 1: ")
        page.click("#clear")
        page.click("#fill [type=submit]")
        alert.filter(has_text="The map has no hole. Paint over").wait_for()
        assert not canvases.first.is_visible()
        visit.assert_quiet()


def test_a_hole_is_made_by_keyboard():
    with opened(works.masked(works.MAPS)) as visit:
        page = visit.page
        page.click("#draw [type=submit]")
        done(page, "draw")
        page.click("#take")
        assert page.evaluate("document.activeElement.id") == "brush"
        for selector, key in (("#clear", "Enter"), ("#hole-height", "3"), ("#hole-width", "4")):
            tab_to(page, selector)
            page.keyboard.press(key)  # in the place of what stood there
        tab_to(page, "#add")
        page.keyboard.press("Space")
        row, column = np.indices((4, 6))
        assert np.array_equal(hidden(page), (row > 0) & (column > 1))
        page.focus("#hole-top")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        assert np.array_equal(hidden(page), column > 1)
        visit.assert_quiet()


def test_a_map_that_was_drawn_is_painted_on_by_touch():
    with opened(works.masked(works.MAPS), **browser.PHONE) as visit:
        page = visit.page
        assert not page.is_visible("#holes")
        page.click("#fill [type=submit]")  # which draws a map, and fills a hole in it
        done(page, "fill")
        assert hidden(page).any()
        page.click("#clear")
        page.fill("#brush", "1")
        page.evaluate(TOUCHED)
        row, column = np.indices((4, 6))
        assert np.array_equal(hidden(page), (row == 3) & (column < 4))
        visit.assert_quiet()


def hidden(page):
    """Which pixels of the given map are shown as hidden, bool (H, W)."""
    return np.reshape(page.evaluate(GREY), works.MAPS.event_shape)


TOUCHED = """() => {
  const canvas = document.querySelector("#given canvas");
  const box = canvas.getBoundingClientRect();
  const at = (column) => ({
    pointerId: 7, pointerType: "touch", isPrimary: true, button: 0, bubbles: true,
    clientX: box.left + column * box.width, clientY: box.top + 0.9 * box.height,
  });
  canvas.setPointerCapture = () => {}; // of a finger that there is not
  canvas.dispatchEvent(new PointerEvent("pointerdown", at(0.05)));
  canvas.dispatchEvent(new PointerEvent("pointermove", at(0.6)));
  canvas.dispatchEvent(new PointerEvent("pointerup", at(0.6)));
}"""
GREY = """() => {
  const canvas = document.querySelector("#given canvas");
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext("2d", {willReadFrequently: true});
  context.drawImage(canvas, 0, 0);
  const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
  const colour = (i) => data.slice(4 * i, 4 * i + 3).join();
  return Array.from({length: data.length / 4}, (_, i) => colour(i) === model.film.noise.join());
}"""


def drag(page, start, end):
    """Draws from one place of the given map to another, (row, column) as shares of its sides."""
    page.locator("#given canvas").scroll_into_view_if_needed()
    box = page.locator("#given canvas").bounding_box()
    for (row, column), move in ((start, page.mouse.down), (end, page.mouse.up)):
        page.mouse.move(box["x"] + column * box["width"], box["y"] + row * box["height"])
        move()


def test_an_error_takes_the_place_of_the_result():
    with opened(works.text()) as visit:
        page = visit.page
        for name, field, wrong, shown, says in (
            ("edit", "#text", "", "#edited", "The text must"),
            ("draw", "#number", "65", "#film .screen", "Samples must be at most 64 here"),
        ):
            page.click(f"#{name} [type=submit]")
            done(page, name)
            assert page.is_visible(shown)
            right = page.input_value(field)
            page.fill(field, wrong)
            page.click(f"#{name} [type=submit]")
            alert = page.locator(f".answer[data-for={name}] [role=alert]")
            alert.filter(has_text=says).wait_for()
            assert not page.is_visible(shown)
            assert page.inner_text(f".answer[data-for={name}] [role=status]") == ""
            page.fill(field, right)
        page.click("#edit [type=submit]")
        done(page, "edit")
        assert page.is_visible("#edited")
        page.fill("#rate", "2")
        page.click("#damage")
        page.locator(".answer[data-for=edit] [role=alert]").wait_for()
        assert not page.is_visible("#edited")
        visit.assert_quiet()


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", ["text", "maps"])
def test_a_walk_is_watched_scrubbed_and_played(kind):
    with opened(WORKS[kind]()) as visit:
        page = visit.page
        tab_to(page, "#number")
        page.keyboard.press("Enter")
        done(page, "draw")
        slider, told = page.locator("#film input[type=range]"), page.locator("#film .time")
        assert told.inner_text() == "t = 0.00"
        slider.focus()
        page.keyboard.press("Home")
        assert told.inner_text() == "t = 1.00"
        page.keyboard.press("ArrowRight")
        assert told.inner_text() == "t = 0.75"
        page.locator("#film button").focus()
        page.keyboard.press("Enter")
        told.filter(has_text="t = 0.00").wait_for()
        if kind == "maps":
            with page.expect_download() as loaded:
                page.click("#save")
            assert loaded.value.suggested_filename == "seed_0.png"
        else:
            text = page.inner_text("#film .screen")
            page.click("#take")
            assert page.input_value("#text") == text
        visit.assert_quiet()


def test_nothing_moves_where_motion_is_not_wanted():
    with opened(works.text(steps=20)) as visit:
        page = visit.page
        page.emulate_media(reduced_motion="reduce")
        page.evaluate(
            """() => {
              window.seen = new Set();
              new MutationObserver(() => seen.add(document.querySelector("#film").textContent))
                .observe(document.querySelector("#film"), {childList: true, subtree: true});
            }"""
        )
        page.click("#draw [type=submit]")
        done(page, "draw")
        assert page.evaluate("seen.size") == 1  # the last state alone
        page.locator("#film input[type=range]").focus()
        page.keyboard.press("Home")
        assert page.inner_text("#film .time") == "t = 1.00"
        visit.assert_quiet()


def test_a_page_that_is_closed_is_not_worked_for():
    shown, states = works.text(steps=40), []
    walk = shown.model.walk

    def slow(*asked):
        for state in walk(*asked):
            states.append(state)
            time.sleep(0.3)
            yield state

    object.__setattr__(shown.model, "walk", slow)
    with served(shown) as address, browser.visit(allowed=(address,)) as visit:
        page = visit.open(address)
        page.click("#draw [type=submit]")
        page.locator("#film .screen").wait_for(timeout=60_000)
        page.close()
        time.sleep(1)
        seen = len(states)
        time.sleep(1)
        assert len(states) == seen < 30


def test_a_command_serves_a_run_until_ctrl_c(trained):
    workdir, _ = trained
    running = start_demo(f"--workdir={workdir}", "--port=0")
    try:
        executed, line = (running.stdout.readline() for _ in range(2))
        assert executed == f"{workdir}/experiment.py is executed\n"
        address = re.search(r"http://127.0.0.1:(\d+)", line)
        status, _, told = finished(start_demo(f"--workdir={workdir}", f"--port={address[1]}"))
        assert status == 1
        assert told == (
            f"error: Port {address[1]} is in use. Give another --port, or --port=0 for a free "
            "one.\n"
        )
        with browser.visit(allowed=(address[0],)) as visit:
            page = visit.open(address[0])
            page.fill("#text", SENTENCE)
            page.click("#edit [type=submit]")
            done(page, "edit")
            visit.assert_quiet()
            page.fill("#draw [data-number=steps]", "7")  # not compiled yet
            page.click("#draw [type=submit]")
            page.locator("#film .screen").wait_for()
            running.send_signal(signal.SIGINT)
        status, out, told = finished(running, seconds=30)
        assert (status, out.strip(), told) == (0, "", "")
    finally:
        running.kill()


def start_demo(*arguments):
    return python("experiments.demo", *arguments, devices=1)
