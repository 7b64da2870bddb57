"""Makes the notebooks of this folder from `source/`, and executes them.

    python notebooks/build.py                      # all of them
    python notebooks/build.py quickstart maps      # some

A source is a Python script whose cells begin with "# %%" (jupytext's percent format): it reads, is
compared and is formatted as code, which JSON with pictures in it does not. The notebook beside it
is the same cells with what they print and draw. All of them begin with the cell in
`source/first_cell.py`. Needs `pip install -e ".[notebooks]"`.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import jupytext
import nbclient
import nbformat

import amd_jax

HERE = Path(__file__).parent
SOURCE = HERE / "source"
NAMES = ("quickstart", "argmax_flows", "maps", "change_one_thing")
COLAB = "https://colab.research.google.com/github"
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def made(name: str) -> nbformat.NotebookNode:
    """The notebook of a source, not yet executed."""
    found = jupytext.read(SOURCE / f"{name}.py", fmt="py:percent")
    first = jupytext.read(SOURCE / "first_cell.py", fmt="py:percent").cells
    found.cells[1:1] = first
    for i, cell in enumerate(found.cells):
        cell.id = f"{name}-{i}"  # jupytext's are random
        cell.source = addressed(cell.source, name)
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    found.metadata = nbformat.from_dict(KERNEL)
    return found


def addressed(text: str, name: str) -> str:
    """A text with the address of the repository, and that of a notebook in Colab, put in."""
    place = amd_jax.REPOSITORY.removeprefix("https://github.com")
    colab = f"{COLAB}{place}/blob/main/notebooks/{name}.ipynb"
    return text.replace("%REPOSITORY%", amd_jax.REPOSITORY).replace("%COLAB%", colab)


def executed(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, from a kernel of its own in a folder; raises if a cell does.

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
    """Makes those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; all unless given")
    names = parser.parse_args().names
    if unknown := set(names) - set(NAMES):
        sys.exit(f"error: The notebooks are {', '.join(NAMES)}; got {', '.join(sorted(unknown))}.")
    for name in names or NAMES:
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(made(name), Path(folder))
        path = HERE / f"{name}.ipynb"
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
