"""`experiments.list`: the experiments and the weights of the package, a line each."""

import json
import re
import textwrap

from amd_jax.cli import experiment_files

WIDTH = 100  # columns
GROUPS = {  # title -> names; a name belongs to the first group that fits
    "Quick, with data of their own": r".*quickstart|eight_gaussians|digits_idf|set_shuffling",
    "Your own text (--config.data.path=book.txt)": "own_text.*",
    "Your own maps (--config.data.path=my_maps/)": "own_maps.*",
    "Your own lines (--config.data.path=molecules.smi)": "own_lines.*",
    "Your own tokens (--config.data.path=train.bin)": "own_tokens.*",
    "Your own table (--config.data.path=people.csv)": "own_table.*",
    "OpenWebText and LM1B (--config.data.path=owt/train)": "owt.*",
    "The paper's data, and what it compares with": "text8.*|cityscapes.*",
    "Rows of the tables of known-answers and table4": ".*_row",
    "Others": ".*",
}
CITATION = r" \([^()]*\b\d{4}\b[^()]*\)"


def text() -> str:
    """All of it."""
    groups: dict[str, list[str]] = {title: [] for title in GROUPS}
    for name in experiment_files.names():
        title = next(title for title, known in GROUPS.items() if re.fullmatch(known, name))
        first = experiment_files.docstring(name).splitlines()[0]
        groups[title].append(line(name, re.sub(CITATION, "", first)))
    groups["Weights in the package (--pretrained=NAME)"] = weights()
    groups = {title: lines for title, lines in groups.items() if lines}
    return "\n\n".join("\n".join([f"{title}:", *lines]) for title, lines in groups.items())


def weights() -> list[str]:
    """The weights of the package, and the experiments that they were trained with."""
    files = sorted((experiment_files.PACKAGE / "pretrained").glob("*/config.json"))
    made = {file.parent.name: json.loads(file.read_text())["run"] for file in files}
    return [
        line(name, f"Trained with {run['experiment']}, {run['step']:,} steps.")
        for name, run in made.items()
    ]


def line(name: str, about: str) -> str:
    """A name, and what it is; of a long sentence what stands before its colon."""
    start = f"  {name:24s}  "
    if len(start + about) > WIDTH:
        about = about.partition(": ")[0]
    return start + textwrap.shorten(about, WIDTH - len(start), placeholder=" …")
