"""The README's Python snippets."""

import pathlib
import re

TEXT = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def snippets(section: str) -> list[str]:
    """The ```python blocks of a section, in order."""
    body = TEXT.split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", body, re.DOTALL)


def namespace(number: int | None = None) -> dict:
    """What the first snippets of "Change one thing" define, or all of them."""
    names = {}
    for source in snippets("Change one thing")[:number]:
        exec(compile(source, "README.md", "exec"), names)
    return names
