"""The documentation: what its pages list, and the site that is built of them."""

import html.parser
import os
import pkgutil
import re
import subprocess
import sys
import urllib.parse

import pytest

import amd_jax
from amd_jax import types
from tests import readme
from tests.readme import ROOT

API = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "api").glob("*.md"))
OFFLINE = """
import socket, sys

def refuse(*_, **__):
    raise AssertionError("the build asks for the network")

socket.socket.connect = socket.getaddrinfo = refuse
from mkdocs.__main__ import cli
sys.exit(cli(["build", "--strict", "--site-dir", sys.argv[1]]))
"""
EXTERNAL = re.compile(r"(https?:)?//")


def modules():
    """Every module of the package whose name has no part that is private."""
    result = [result.name for result in pkgutil.walk_packages(amd_jax.__path__, "amd_jax.")]
    return ["amd_jax", *(name for name in result if "._" not in name)]


def test_every_public_module_is_on_an_api_page():
    listed = re.findall(r"^::: (\S+)$", API, re.MULTILINE)
    assert len(set(listed)) == len(listed), "a module is listed twice"
    assert set(listed) == set(modules()), set(listed) ^ set(modules())


def test_protocols_say_how_to_add_one():
    parts = [c for c in vars(types).values() if getattr(c, "_is_protocol", False)]
    assert len([c for c in parts if c.__module__ == types.__name__]) >= 9
    for part in parts:
        if part.__module__ == types.__name__:
            assert "To add one: " in part.__doc__, part.__name__


def test_pictures_are_small_and_described():
    pictures = ROOT / "docs" / "pictures"
    shown = "".join(
        path.read_text(encoding="utf-8") for path in [*readme.PAGES, ROOT / "README.md"]
    )
    for path in pictures.glob("*.svg"):
        assert path.stat().st_size < 200_000, path.name
        alt = re.search(rf"!\[([^\]]*)\]\([^)]*pictures/{path.name}\)", shown)
        assert alt, f"{path.name} is on no page"
        assert len(alt[1]) > 40, f"{path.name} has to be described"


class Page(html.parser.HTMLParser):
    """What a page links to, what it loads, and the names of its places."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.places = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        result = dict(attrs)
        self.places |= {result[name] for name in ("id", "name") if result.get(name)}
        if tag == "a" and result.get("href"):
            self.links.append(result["href"])
        elif tag == "link" and result.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(result["href"])
        self.loads += [
            result[name] for name in ("src", "srcset", "data", "poster") if name in result
        ]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for needed in ("material", "mkdocstrings", "latex2mathml"):
        pytest.importorskip(needed, reason='the documentation needs pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return {path: Page(path.read_text("utf-8")) for path in folder.rglob("*.html")}, folder


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_or_the_network(site):
    pages, folder = site
    assert len(pages) > 200
    assert "<math" in (folder / "how_it_works" / "bounds.html").read_text("utf-8")
    assert not any("arithmatex" in path.read_text("utf-8") for path in pages)


@pytest.mark.slow
def test_no_api_page_is_enormous(site):
    pages, folder = site
    api = {
        path: sum(place.startswith("amd_jax.") for place in page.places)
        for path, page in pages.items()
        if path.is_relative_to(folder / "api")
    }
    assert sum(api.values()) > 2000
    assert max(api.values()) < 100, max(api, key=api.get)


@pytest.mark.slow
def test_the_search_finds_names_and_no_source(site):
    _, folder = site
    index = (folder / "search" / "search_index.json").read_text("utf-8")
    assert "amd_jax.diffusion.process.of_logits" in index
    assert index.count("return ") < 200  # those of snippets; of the source there are thousands


@pytest.mark.slow
def test_pages_load_nothing_from_elsewhere(site):
    pages, folder = site
    loads = [(path, load) for path, page in pages.items() for load in page.loads]
    assert len(loads) > 100
    assert not any('data-md-component="source"' in path.read_text("utf-8") for path in pages)
    for path, load in loads:
        assert not EXTERNAL.match(load), (path.name, load)
        if not load.startswith("data:") and path.name != "404.html":
            assert (path.parent / urllib.parse.unquote(load.split("?")[0])).is_file(), (path, load)
    for sheet in folder.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", sheet.read_text("utf-8")), sheet.name


@pytest.mark.slow
def test_no_link_within_the_site_is_dead(site):
    pages, folder = site
    checked = 0
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link) or path.name == "404.html":
                continue
            target, _, place = urllib.parse.unquote(link).partition("#")
            file = (path.parent / target).resolve() if target else path
            file = file / "index.html" if file.is_dir() else file
            assert file.is_file(), (path.name, link)
            if place and file.suffix == ".html":
                assert place in pages[file].places, (path.name, link)
            checked += 1
    assert checked > 1000
