"""Makes text safe for a terminal or a page: visible signs in place of control characters."""

from typing import Any, TextIO

SURROGATE = "\ufffd"
PICTURES = 0x2400  # of the control characters, in their order
FORMATS = {0x061C, *range(0x200E, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
SIGNS: dict[int, int | str] = {
    **{code: PICTURES + code for code in range(0x20) if chr(code) not in "\n\t"},
    **dict.fromkeys(range(0x7F, 0xA0), SURROGATE),
    0x7F: 0x2421,
    **dict.fromkeys(range(0xD800, 0xE000), SURROGATE),
    **dict.fromkeys(FORMATS, SURROGATE),  # they would turn round what stands after them
}
ONE_LINE = {**SIGNS, ord("\n"): "⏎", ord("\t"): "␉", 0x2028: "⏎", 0x2029: "⏎"}


def shown(text: object) -> str:
    """A text as a page can hold it: a sign in the place of each control character and surrogate.

    Line ends and tabs stay. Letters of any script stay, from right to left too.
    """
    return str(text).translate(SIGNS)


def in_one_line(text: object) -> str:
    """A text, or the path of a file, as `shown`, with signs for line ends and tabs as well."""
    return str(text).translate(ONE_LINE)


def cut(text: str, length: int) -> str:
    """A text of at most `length` characters, the last of them … if it was longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


class Printer:
    """A stream, such as sys.stdout, that writes text as `shown`; all else is the stream's own."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes a text; how long it is."""
        self._stream.write(shown(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """What else a stream has."""
        return getattr(self._stream, name)
