"""A page for each module of the package, so that no API page is thousands of lines long.

The pages in docs/api list modules as `::: amd_jax.room.module`. A package stays on the page that
lists it; a module gets a page of its own, and in its place a link with the first line of its
docstring.
"""

import ast
import pathlib
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[2]
API = ROOT / "docs" / "api"
DIRECTIVE = re.compile(r"^::: (amd_jax\S*)$", re.MULTILINE)


def modules(page: str) -> list[str]:
    """The modules with pages of their own that a page of docs/api lists, in order."""
    listed = DIRECTIVE.findall((API / page).read_text(encoding="utf-8"))
    return [name for name in listed if moves(name, page)]


def moves(name: str, page: str) -> bool:
    """Whether a module leaves the page that lists it: packages stay, and what the page is of."""
    return source(name).name != "__init__.py" and address(name) != f"api/{page}"


def source(name: str) -> pathlib.Path:
    """The file of a module."""
    path = ROOT.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def address(name: str) -> str:
    """The page of a module: amd_jax.ops.gumbel -> api/ops/gumbel.md."""
    return f"api/{'/'.join(name.split('.')[1:])}.md"


def summary(name: str) -> str:
    """The first line of a module's docstring."""
    tree = ast.parse(source(name).read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def on_config(config):
    """Puts the pages of modules into the navigation, under the page that lists them."""
    for section in config.nav:
        if "API" in section:
            section["API"] = [entry(page) for page in section["API"]]
    return config


def entry(path: str) -> str | dict:
    """A page of docs/api, with the pages of its modules if there are any."""
    page = pathlib.Path(path).name
    names = modules(page)
    if not names:
        return path
    room = f"amd_jax.{pathlib.Path(page).stem}."
    return {title(page): [path, *({name.removeprefix(room): address(name)} for name in names)]}


def title(page: str) -> str:
    """The heading of a page."""
    return re.search(r"^# (?:amd_jax\.)?(.+)$", (API / page).read_text("utf-8"), re.MULTILINE)[1]


def on_files(files, config):
    """Adds a page for each module."""
    for page in sorted(API.glob("*.md")):
        for name in modules(page.name):
            files.append(File.generated(config, address(name), content=content(name)))
    return files


def content(name: str) -> str:
    """What the page of a module says: its docstrings, and where to read its source."""
    path = source(name).relative_to(ROOT).as_posix()
    docstrings = f"::: {name}\n    options:\n      heading_level: 1\n"
    return f"{docstrings}\n[The source of this module](repo:{path})\n"


def on_page_markdown(markdown: str, page, **_) -> str:
    """Links to the modules that a page of docs/api lists."""
    path = pathlib.PurePosixPath(page.file.src_uri)
    if path.parent != pathlib.PurePosixPath("api"):
        return markdown

    def link(found: re.Match) -> str:
        name = found[1]
        if not moves(name, path.name):
            return found[0]
        return f"- [`{name}`]({address(name).removeprefix('api/')}): {summary(name)}"

    return DIRECTIVE.sub(link, markdown)
