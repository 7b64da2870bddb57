"""The README's commands and snippets."""

import pathlib
import re

TEXT = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(kind: str, text: str = TEXT) -> list[str]:
    """The blocks of a kind, such as bash, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def snippets(section: str) -> list[str]:
    """The ```python blocks of a section, in order."""
    return blocks("python", TEXT.split(f"## {section}\n")[1].split("\n## ")[0])


def namespace(number: int | None = None) -> dict:
    """What the first snippets of "Change one thing" define, or all of them."""
    names = {}
    for source in snippets("Change one thing")[:number]:
        exec(compile(source, "README.md", "exec"), names)
    return names
