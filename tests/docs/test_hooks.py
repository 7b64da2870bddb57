"""What the hooks of the documentation make of notebooks, formulas and sources."""

import importlib.util
import json
import types

import pytest

import amd_jax
from tests.readme import ROOT

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
)


def hook(name, needs):
    """A hook as a module; skips where what it needs is not installed."""
    pytest.importorskip(needs, reason='the documentation needs pip install -e ".[docs]"')
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "hooks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code(*outputs, source="1"):
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def data(**kinds):
    result = {kind.replace("_", "/"): content for kind, content in kinds.items()}
    return {"output_type": "display_data", "data": result}


def test_a_notebook_becomes_a_page(tmp_path):
    badge = "[![Open in Colab](https://elsewhere.org/badge.svg)](https://colab/one.ipynb)"
    stream = {"output_type": "stream", "text": ["a\rb\n", "\x1b[31mc\x1b[0m\n"]}
    cells = [
        {"cell_type": "markdown", "source": ["# A title\n", f"text {badge}"]},
        code(stream, source="print(1)"),
        code(data(image_png=PIXEL, text_plain="<Figure>")),
        code(data(text_html="<table>\n\n<tr></tr></table>", text_plain="a table")),
        code(data(text_html=f'<script>x</script><img src="data:image/gif;base64,{PIXEL}">')),
        code(data(text_html='<img src="https://elsewhere.org/a.png"> words')),
    ]
    (tmp_path / "one.ipynb").write_text(json.dumps({"cells": cells}))
    notebooks = hook("notebooks", "mkdocs")
    page, pictures = notebooks.rendered(tmp_path / "one.ipynb")
    assert notebooks.title(tmp_path / "one.ipynb") == "A title"
    assert page.startswith("# A title\ntext [Open in Colab](https://colab/one.ipynb)")
    assert "`````python\nprint(1)\n`````" in page
    assert "`````text\nb\nc\n`````" in page
    assert "![what the cell above draws](one_2_0.png)" in page
    assert "<table>\n<tr></tr></table>" in page
    assert sorted(pictures) == ["one_2_0.png", "one_4_0_0.gif"]
    assert pictures["one_2_0.png"].startswith(b"\x89PNG")
    assert "script" not in page
    assert "elsewhere" not in page


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\log p", '<mi>log</mi><mspace width="0.17em"/><mi>p</mi>'),
        (r"\mathrm{KL}(p)", "<mi>KL</mi><mo"),
        (r"x_\mathrm{max}", "<msub><mi>x</mi><mi>max</mi></msub>"),
        (r"\arg\max_k z", "<msub><mi>argmax</mi><mi>k</mi></msub>"),
        (r"x \sim q", "&#x0223C;"),
    ],
)
def test_formulas_become_mathml(latex, expected):
    formulas = hook("formulas", "latex2mathml")
    page = types.SimpleNamespace(file=types.SimpleNamespace(src_uri="page.md"))
    made = formulas.on_page_content(rf'<span class="arithmatex">\({latex}\)</span>', page)
    assert expected in made
    assert made.startswith("<math")


def test_a_figure_stays_on_one_line_with_its_error():
    figures = hook("figures", "mkdocs")
    assert figures.on_page_content("<td>2.0 ± 0.1</td>") == "<td>2.0\xa0±\xa00.1</td>"
    assert figures.on_page_content("after ± stands") == "after ± stands"


@pytest.mark.slow
def test_verbs_have_the_words_of_their_protocol():
    spoken_for = hook("spoken_for", "griffe")
    import griffe

    loader = griffe.GriffeLoader(
        extensions=griffe.Extensions(spoken_for.SpokenFor()), search_paths=[ROOT]
    )
    package = loader.load("amd_jax")
    uniform = package["transforms.dequantize.Uniform"]
    assert "A verb of [`Transform`]" in uniform["inverse"].docstring.value
    assert "The x with forward(x) = z." in uniform["inverse"].docstring.value
    assert uniform["num_classes"].docstring.value == "K"
    tabulated = package["diffusion.kernels.tables.Tabulated"]
    assert tabulated["prior"].docstring.value == "the law of x_T unless given"
    learned = package["transforms.laws.Learned"]
    assert "A verb of [`Law`]" in learned["log_prob"].docstring.value


def test_a_module_has_a_page_and_a_package_stays_on_the_page_that_lists_it():
    api_pages = hook("api_pages", "mkdocs")
    listed = api_pages.modules("diffusion.md")
    assert "amd_jax.diffusion.kernels.bayes" in listed
    assert "amd_jax.diffusion.kernels" not in listed
    assert api_pages.modules("types.md") == []  # the page is of that module alone
    assert "repo:amd_jax/ops/gumbel.py" in api_pages.content("amd_jax.ops.gumbel")
    page = types.SimpleNamespace(file=types.SimpleNamespace(src_uri="api/ops.md"))
    text = "::: amd_jax.ops\n    options:\n      members: false\n\n::: amd_jax.ops.gumbel\n"
    made = api_pages.on_page_markdown(text, page)
    assert made.startswith("::: amd_jax.ops\n")
    line = made.splitlines()[-1]
    assert line.startswith("- [`amd_jax.ops.gumbel`](ops/gumbel.md): ")
    assert len(line.partition(": ")[2]) > 10


def test_every_page_links_to_the_repository_and_fetches_nothing_of_it():
    addresses = hook("addresses", "mkdocs")
    config = addresses.on_config(types.SimpleNamespace())
    assert config.repo_url == amd_jax.REPOSITORY
    assert amd_jax.REPOSITORY.endswith(config.repo_name)
    assert addresses.on_post_page('<a data-md-component="source" href="x">') == '<a  href="x">'
