"""What a package index shows, and the files that a release needs."""

import re
import runpy
import sys
import types

import pytest

import amd_jax
from tests.readme import ROOT, TEXT

LINK = re.compile(r"!?\[[^\]]*\]\(([^)#]+)")
HERE = amd_jax.REPOSITORY.removeprefix("https://")


@pytest.fixture
def described(monkeypatch):
    """What setup.py hands to setuptools."""
    result = {}
    stand_in = types.SimpleNamespace(setup=result.update, find_packages=lambda include: [])
    monkeypatch.setitem(sys.modules, "setuptools", stand_in)
    runpy.run_path(str(ROOT / "setup.py"))
    return result


def test_a_package_index_shows_no_relative_link(described):
    links = LINK.findall(described["long_description"])
    assert len(links) > 20
    assert all(link.startswith("https://") for link in links), links
    version = f"v{amd_jax.__version__}"
    pictures = f"{amd_jax.REPOSITORY}/raw/{version}/docs/pictures/"
    assert described["long_description"].count(f"]({pictures}") == 2
    assert (
        f"]({amd_jax.REPOSITORY}/blob/{version}/docs/results.md#" in described["long_description"]
    )


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_relative_links_lead_to_files(name):
    links = LINK.findall((ROOT / name).read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_anchors_of_the_readme_are_headings():
    links = re.findall(r"\]\((docs/[^)#]+)#([^)]+)\)", TEXT)
    assert len(links) >= 3
    for path, anchor in links:
        text = (ROOT / path).read_text(encoding="utf-8")
        headings = [
            re.sub(r"[^\w -]", "", line.lstrip("# ")).strip().lower().replace(" ", "-")
            for line in text.splitlines()
            if line.startswith("#")
        ]
        assert anchor in headings or f"{{ #{anchor} }}" in text, (path, anchor)


def test_the_address_of_the_repository_is_the_same_everywhere(described):
    addresses = {
        "README.md",
        "SECURITY.md",
        "CODE_OF_CONDUCT.md",
        ".github/ISSUE_TEMPLATE/config.yml",
    }
    for name in addresses:
        text = (ROOT / name).read_text(encoding="utf-8")
        found = re.findall(r"github\.com/amd[^/\s]*/\w+", text)
        assert found, name
        assert {*found} == {HERE}, (name, found)
    site = re.search(r"^site_url: (\S+)", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)[
        1
    ]
    assert described["project_urls"]["Documentation"] == site


def test_badges_are_true(described):
    shown = re.search(r"badge/python-(\S+)-blue", TEXT)[1].split("%20%7C%20")
    said = [c.rpartition(" ")[2] for c in described["classifiers"] if re.search(r":: 3\.\d+$", c)]
    tried = re.search(r"python: \[(.+)\]", (ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    assert shown == said == re.findall(r"3\.\d+", tried[1])
    licence = described["license_expression"]
    assert f"badge/licence-{licence.replace('-', '--')}-blue" in TEXT


def test_a_release_is_dated_and_cited_the_same_way():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.search(r"^## \[(\d\S+)\] – (\S+)", changes, re.MULTILINE).groups()
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert version == amd_jax.__version__
    assert f"\nversion: {version}\ndate-released: {date}\n" in cited
