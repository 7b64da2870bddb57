"""The notebooks as pages: text, code, and what each cell printed and drew when it was executed.

Pages and pictures are made while the site is built, from `notebooks/*.ipynb` as committed. The
page of tutorials lists them where it says `<!-- notebooks -->`.
"""

import base64
import html
import json
import pathlib
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[2]
ORDER = ("quickstart", "argmax_flows", "maps", "tables", "lines", "change_one_thing")
PICTURES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/svg+xml": "svg"}
BADGE = re.compile(r"\[!\[(Open in Colab)\]\([^)]+\)\]")  # its picture is on another server
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours of a terminal
PLACE = "<!-- notebooks -->"


def notebooks() -> list[pathlib.Path]:
    """The notebooks that there are, in the order to read them."""
    found = (ROOT / "notebooks").glob("*.ipynb")
    place = {name: i for i, name in enumerate(ORDER)}
    return sorted(found, key=lambda path: (place.get(path.stem, len(ORDER)), path.stem))


def on_config(config):
    """Puts a page for each notebook under "Tutorials"."""
    for section in config.nav:
        if "Tutorials" in section:
            section["Tutorials"] += [f"tutorials/{path.stem}.md" for path in notebooks()]
    return config


def on_files(files, config):
    """Adds the pages, and the pictures on them."""
    for path in notebooks():
        page = f"tutorials/{path.stem}.md"
        text, pictures = rendered(path)
        for name, content in pictures.items():
            files.append(File.generated(config, f"tutorials/{name}", content=content))
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, **_) -> str:
    """Lists the notebooks."""
    lines = [f"- [{title(path)}]({path.stem}.md)" for path in notebooks()]
    return markdown.replace(PLACE, "\n".join(lines) or "The notebooks are not part of this tree.")


def title(path: pathlib.Path) -> str:
    """The first heading of a notebook, or its name."""
    for cell in read(path):
        found = re.search(r"^# (.+)$", source(cell), re.MULTILINE)
        if cell["cell_type"] == "markdown" and found:
            return found[1].strip()
    return path.stem


def rendered(path: pathlib.Path) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and its pictures by their names."""
    parts, pictures = [], {}
    if not any(line.startswith("# ") for cell in read(path) for line in source(cell).splitlines()):
        parts.append(f"# {path.stem}")
    for number, cell in enumerate(read(path)):
        text = source(cell)
        if cell["cell_type"] == "markdown":
            parts.append(BADGE.sub(r"[\1]", text))
        elif cell["cell_type"] == "code":
            parts.append(fenced(text, "python"))
            outputs = cell.get("outputs", [])
            for i, output in enumerate(outputs):
                parts += shown(output, f"{path.stem}_{number}_{i}", pictures)
    parts.append(f"[This notebook in the repository](repo:notebooks/{path.name})")
    return "\n\n".join(filter(None, parts)) + "\n", pictures


def shown(output: dict, name: str, pictures: dict[str, bytes]) -> list[str]:
    """What an output of a cell looks like on a page."""
    if output["output_type"] == "stream":
        return [printed(joined(output["text"]))]
    data = output.get("data", {})
    for kind, ending in PICTURES.items():
        if kind in data:
            content = joined(data[kind])
            raw = content.encode() if ending == "svg" else base64.b64decode(content)
            pictures[f"{name}.{ending}"] = raw
            told = html.escape(joined(data.get("text/plain", "")) or "picture", quote=True)
            alt = told if not told.startswith("&lt;") else "what the cell above draws"
            return [f"![{alt}]({name}.{ending})"]
    if "text/html" in data and "text/latex" not in data:  # with which code comes, coloured
        return embedded(joined(data["text/html"]), name, pictures)
    if "text/markdown" in data:
        return [joined(data["text/markdown"])]
    return [printed(joined(data["text/plain"]))] if "text/plain" in data else []


def embedded(markup: str, name: str, pictures: dict[str, bytes]) -> list[str]:
    """HTML as it is, if it is only that; else its pictures or words: no scripts on our pages."""
    if not re.search(r"<(script|iframe|link|object|form)\b|\bsrc=|url\(", markup):
        kept = re.sub(r"\n\s*\n", "\n", markup)  # an empty line would end a block of HTML
        return [f'<div class="output" tabindex="0">\n{kept}\n</div>']
    found = re.findall(r"data:(image/[a-z+]+);base64,([A-Za-z0-9+/=\s]+)", markup)
    lines = []
    for i, (kind, content) in enumerate(found[:1] if "<script" in markup else found):
        file = f"{name}_{i}.{PICTURES.get(kind, 'png')}"
        pictures[file] = base64.b64decode(content)
        lines.append(f"![what the cell above shows]({file})")
    if lines:
        return lines
    words = re.sub(r"<(script|style).*?</\1>|<[^>]+>", "", markup, flags=re.DOTALL)
    return [printed(html.unescape(words))]


def printed(text: str) -> str:
    """Text as printed, without colours; of a line that was overwritten the last form."""
    lines = [
        line.split("\r")[-1] for line in ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")
    ]
    return fenced("\n".join(lines).rstrip(), "text")


def fenced(text: str, kind: str) -> str:
    """A block of code, unless it is empty."""
    return f"`````{kind}\n{text.rstrip()}\n`````" if text.strip() else ""


def read(path: pathlib.Path) -> list[dict]:
    """The cells of a notebook."""
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def source(cell: dict) -> str:
    """The text of a cell."""
    return joined(cell["source"])


def joined(text: str | list[str]) -> str:
    """Text that a notebook holds in one piece, or in lines."""
    return text if isinstance(text, str) else "".join(text)
