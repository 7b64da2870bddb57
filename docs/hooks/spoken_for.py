"""What the API pages say of names without a docstring: their comment, or their Protocol's words.

A field of a dataclass is explained by the comment on its line, and a method such as `forward` by
the Protocol that it belongs to (`amd_jax/types.py`). Both are read from the source.
"""

import ast
import functools
import io
import pathlib
import re
import tokenize

import griffe

IGNORE = re.compile(r"^# type: ignore\[\S+\]")  # what a comment says to a type checker
TYPES = pathlib.Path(__file__).parents[2] / "amd_jax" / "types.py"


class SpokenFor(griffe.Extension):
    """Fills in what the source says elsewhere."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_) -> None:
        """The comment on the line of an attribute."""
        if attr.docstring is None and attr.lineno and isinstance(attr.filepath, pathlib.Path):
            if told := comments(attr.filepath).get(attr.endlineno or attr.lineno):
                attr.docstring = griffe.Docstring(told, parent=attr, lineno=attr.lineno)

    def on_class_members(self, *, cls: griffe.Class, **_) -> None:
        """The words of a Protocol for its verbs: of the one that the class has most verbs of."""
        for name, found in cls.members.items():
            if not found.is_function or found.docstring is not None:
                continue
            having = {p: told for p, told in protocols().items() if name in told}
            if having:
                protocol = max(having, key=lambda p: len(having[p].keys() & cls.members.keys()))
                whose = f"A verb of [`{protocol}`][amd_jax.types.{protocol}]."
                told = f"{having[protocol][name]}\n\n{whose}"
                found.docstring = griffe.Docstring(told, parent=found, lineno=found.lineno)


@functools.cache
def comments(path: pathlib.Path) -> dict[int, str]:
    """The comment of each line that has one beside code."""
    text = path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        token.start[0]: IGNORE.sub("", token.string).lstrip("# ")
        for token in tokens
        if token.type == tokenize.COMMENT and token.line.strip() != token.string.strip()
    }


@functools.cache
def protocols() -> dict[str, dict[str, str]]:
    """Protocol -> what it says of each of its methods."""
    return {
        node.name: {
            item.name: ast.get_docstring(item)
            for item in node.body
            if isinstance(item, ast.FunctionDef) and ast.get_docstring(item)
        }
        for node in ast.parse(TYPES.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
