"""Links into the repository: `repo:experiments/quickstart.py` becomes its public address.

The address of the repository is written once, in `amd_jax/__init__.py`; the link at the top of
every page is to it, too. A link to a file that is not there ends the build.
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


def on_config(config):
    """Shows the repository at the top of every page."""
    config.repo_url = repository()
    config.repo_name = config.repo_url.removeprefix("https://github.com/")
    return config


def on_post_page(output: str, **_) -> str:
    """Keeps the theme from fetching the repository's stars: pages load nothing from elsewhere."""
    return output.replace('data-md-component="source"', "")


def on_post_template(output: str, **_) -> str:
    """The same for the page of errors, which is not made of a page."""
    return on_post_page(output)


def on_page_markdown(markdown: str, page, **_) -> str:
    """Replaces the addresses in a page."""

    def address(found: re.Match) -> str:
        path = found[1]
        if not (ROOT / path).exists():
            log.warning("%s links to %r, which is not in the repository", page.file.src_uri, path)
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"]({repository()}/{kind}/main/{path}" if path else f"]({repository()}"

    return LINK.sub(address, markdown)
