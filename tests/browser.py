"""A real browser for tests of pages: what it complained of, asked for, and found inaccessible."""

import contextlib
import json
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
LOCAL = ("file:", "data:", "blob:", "about:")
PHONE = {"width": 400, "height": 800}
DESK = {"width": 1280, "height": 900}


class Visit:
    """A page that is open, and what was seen of it since."""

    def __init__(self, page: Any, allowed: tuple[str, ...]):
        self.page = page
        self.complaints: list[str] = []  # errors on the console, and uncaught ones
        self.asked: list[str] = []  # addresses off this machine; they were not answered
        self._allowed = allowed
        page.on("console", self._told)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.route("**/*", self._route)

    def _told(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _route(self, route: Any) -> None:
        if route.request.url.startswith((*LOCAL, *self._allowed)):
            route.continue_()
        else:
            self.asked.append(route.request.url)
            route.abort()

    def open(self, where: str | pathlib.Path) -> Any:
        """Goes to a file or an address; the page."""
        self.page.goto(where.as_uri() if isinstance(where, pathlib.Path) else where)
        return self.page

    def assert_quiet(self) -> None:
        """Fails if the console has an error, or the page has asked for anything elsewhere."""
        assert not self.complaints
        assert not self.asked

    def assert_narrow(self) -> None:
        """Fails if the page is wider than the window."""
        wide, window = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= window, f"the page is {wide} pixels wide in a window of {window}"

    def assert_accessible(self) -> None:
        """Fails for what axe-core calls serious or critical."""
        result = violations(self.page)
        assert not result, json.dumps(result, indent=1)


@contextlib.contextmanager
def visit(
    *, dark: bool = False, scripts: bool = True, allowed: tuple[str, ...] = (), **size: int
) -> Iterator[Visit]:
    """A page of Chromium, of a width and a height; skips the test where there is none.

    Without `scripts` the browser executes none. `allowed` are beginnings of addresses beside
    those of this machine's files, as of a server that a test has started.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"needs a browser on the PATH: {', '.join(NAMES)}")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            scheme = "dark" if dark else "light"
            page = browser.new_page(
                viewport=DESK | size, color_scheme=scheme, java_script_enabled=scripts
            )
            yield Visit(page, allowed)
        finally:
            browser.close()


def violations(page: Any) -> list[dict[str, Any]]:
    """Serious and critical findings of axe-core: rule, help and the places."""
    axe = pytest.importorskip(
        "axe_playwright_python", reason="needs pip install axe-playwright-python"
    )
    page.evaluate((pathlib.Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    result = page.evaluate("axe.run()")["violations"]
    return [
        {"rule": one["id"], "help": one["help"], "at": [n["html"][:200] for n in one["nodes"]]}
        for one in result
        if one["impact"] in ("serious", "critical")
    ]
