"""Links into the repository: `repo:experiments/quickstart.py` becomes its public address.

The address of the repository is written once, in `amd_jax/__init__.py`. A link to a file that is
not there ends the build.
"""

import logging
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
LINK = re.compile(r"\]\(repo:([^)#]*)")
log = logging.getLogger("mkdocs.hooks.addresses")


def repository() -> str:
    """The public address; the package is read, not imported."""
    text = (ROOT / "amd_jax" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^REPOSITORY = "([^"]+)"', text, re.MULTILINE)[1]


def on_page_markdown(markdown: str, page, **_) -> str:
    """Replaces the addresses in a page."""

    def address(found: re.Match) -> str:
        path = found[1]
        if not (ROOT / path).exists():
            log.warning("%s links to %r, which is not in the repository", page.file.src_uri, path)
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"]({repository()}/{kind}/main/{path}" if path else f"]({repository()}"

    return LINK.sub(address, markdown)
