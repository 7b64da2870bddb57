"""Markup that a notebook shows."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Html:
    """HTML: a notebook shows it where it is the last line of a cell."""

    markup: str
    description: str  # in one line, for a console

    def __repr__(self) -> str:
        """The description."""
        return self.description

    def _repr_html_(self) -> str:
        return self.markup
