"""What the API pages say of names without a docstring: their comment, or their Protocol's words.

A field of a dataclass is explained by the comment on its line, and a method such as `forward` by
the Protocol that it belongs to (`amd_jax/types.py`). Both are read from the source.
"""

import ast
import functools
import io
import pathlib
import tokenize

import griffe

TYPES = pathlib.Path(__file__).parents[2] / "amd_jax" / "types.py"


class SpokenFor(griffe.Extension):
    """Fills in what the source says elsewhere."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_) -> None:
        """The comment on the line of an attribute."""
        if attr.docstring is None and attr.lineno and isinstance(attr.filepath, pathlib.Path):
            if told := comments(attr.filepath).get(attr.endlineno or attr.lineno):
                attr.docstring = griffe.Docstring(told, parent=attr, lineno=attr.lineno)

    def on_function_instance(self, *, func: griffe.Function, **_) -> None:
        """The docstring of the verb of the same name, for methods of classes."""
        if func.docstring is None and func.parent is not None and func.parent.is_class:
            if func.name in verbs():
                protocol, told = verbs()[func.name]
                told = f"{told}\n\nA verb of [`{protocol}`][amd_jax.types.{protocol}]."
                func.docstring = griffe.Docstring(told, parent=func, lineno=func.lineno)


@functools.cache
def comments(path: pathlib.Path) -> dict[int, str]:
    """The comment of each line that has one beside code."""
    text = path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        token.start[0]: token.string.lstrip("# ")
        for token in tokens
        if token.type == tokenize.COMMENT and token.line.strip() != token.string.strip()
    }


@functools.cache
def verbs() -> dict[str, tuple[str, str]]:
    """Method -> the first Protocol that has it, and what is said there."""
    found = {}
    for node in ast.parse(TYPES.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                told = ast.get_docstring(item) if isinstance(item, ast.FunctionDef) else None
                if told:
                    found.setdefault(item.name, (node.name, told))
    return found
