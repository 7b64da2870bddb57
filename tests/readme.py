"""The commands and snippets of the README, and of the pages in docs/."""

import pathlib
import random
import re

ROOT = pathlib.Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").rglob("*.md"))
CHANGES = ROOT / "docs" / "how_to" / "change_one_thing.md"


def blocks(kind: str, text: str = TEXT) -> list[str]:
    """The blocks of a kind, such as bash, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def lines(text: str = TEXT) -> list[str]:
    """The lines of all ```bash blocks; one that ends in a backslash goes on in the next."""
    result = "\n".join(blocks("bash", text)).replace("\\\n", " ").splitlines()
    return [line.strip() for line in result if line.strip()]


def people(number: int = 200) -> str:
    """A CSV such as the pages of docs/ speak of."""
    rng, lines = random.Random(0), ["age,income,city"]
    for _ in range(number):
        age = rng.randint(20, 70)
        income = ">50K" if age > rng.randint(20, 90) else "<=50K"
        lines.append(f"{age},{income},{rng.choice(['Bonn', 'Ulm'])}")
    return "\n".join([*lines, ""])


def on_runs(source: str) -> bool:
    """Whether a snippet of the README reads or makes a run: then it follows the commands."""
    return "load_run" in source or ".fit(" in source


def executed(sources: list[str], name: str) -> dict:
    """What snippets of one page define, executed one after the other."""
    names = {"__name__": "snippet"}
    for source in sources:
        exec(compile(source, name, "exec"), names)
    return names


def namespace(number: int | None = None) -> dict:
    """What the first snippets of "Change one thing" define, or all of them."""
    sources = blocks("python", CHANGES.read_text(encoding="utf-8"))
    return executed(sources[:number], CHANGES.name)
