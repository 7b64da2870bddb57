"""Builds the notebooks of this folder from `source/`, and executes them.

    python notebooks/build.py                      # all of them
    python notebooks/build.py quickstart maps      # some

A source is a Python script whose cells begin with "# %%" (jupytext's percent format), so changes
are readable and the code is checked. The notebook has the same cells, with their outputs. Its
first code cell is `source/first_cell.ipy`. Needs `pip install -e ".[notebooks]"`.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbclient
import nbformat

import amd_jax

HERE = Path(__file__).parent
SOURCE = HERE / "source"
NAMES = ("quickstart", "argmax_flows", "maps", "tables", "lines", "change_one_thing")
COLAB = "https://colab.research.google.com"
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def build(name: str) -> nbformat.NotebookNode:
    """The notebook of a source, not yet executed."""
    notebook = jupytext.read(SOURCE / f"{name}.py", fmt="py:percent")
    first = nbformat.v4.new_code_cell((SOURCE / "first_cell.ipy").read_text("utf-8").strip())
    first.metadata = nbformat.from_dict({"tags": ["first"]})
    notebook.cells.insert(1, first)
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{name}-{i}"  # jupytext's are random
        cell.source = with_links(cell.source, name)
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    notebook.metadata = nbformat.from_dict(KERNEL)
    return notebook


def with_links(text: str, name: str) -> str:
    """A text with the address of the repository, and the badge that opens a notebook in Colab."""
    return text.replace("%REPOSITORY%", amd_jax.REPOSITORY).replace("%BADGE%", badge(name))


def badge(name: str) -> str:
    """Colab's badge with the link that opens a notebook, as Markdown."""
    repository = amd_jax.REPOSITORY.removeprefix("https://github.com/")
    link = f"{COLAB}/github/{repository}/blob/main/notebooks/{name}.ipynb"
    return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({link})"


def execute(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Adds the outputs of a new kernel that runs in a folder; raises if a cell does.

    A cell may take an hour.
    """
    client = nbclient.NotebookClient(
        notebook,
        timeout=3600,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
    )
    client.execute()
    notebook.metadata = nbformat.from_dict(KERNEL)  # without the version of this Python
    return notebook


def main() -> None:
    """Builds the notebooks named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(NAMES)}; default: all")
    names = parser.parse_args().names
    if unknown := set(names) - set(NAMES):
        sys.exit(f"error: The notebooks are {', '.join(NAMES)}; got {', '.join(sorted(unknown))}.")
    for name in names or NAMES:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(build(name), Path(folder))
        path, seconds = HERE / f"{name}.ipynb", time.monotonic() - start
        nbformat.write(notebook, path)
        print(f"{path.name}: {seconds:.0f} s, {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
