"""Labels of rows: classes after those of the data, one token of each row."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from amd_jax.host.printable import cut, in_one_line


class Labelled:
    """Facts of rows whose first token is a label, if there are labels at all.

    Label c of C is the token `first_label` + c.
    """

    name: Any
    labels: Any  # (C,), texts
    frequencies: Any

    @property
    def first_label(self) -> int:
        """The token of label 0: how many classes are none."""
        raise NotImplementedError

    def check_labels(self) -> None:
        """Raise ValueError for a label that is there twice."""
        if len({*self.labels}) < len(self.labels):
            raise ValueError(f"Labels differ; {self.name} has {self.labels!r:.200}.")

    def label_token(self, label: str) -> int:
        """The token of a label. ValueError, with the labels there are, for another one."""
        if label not in self.labels:
            known = cut(in_one_line(", ".join(self.labels)), 200)
            raise ValueError(
                f"A label of {self.name} is one of {known or 'none'}; got "
                f"{cut(in_one_line(label), 60)!r}."
            )
        return self.first_label + self.labels.index(label)

    def label(self, x: ArrayLike) -> str:
        """The label of a row of tokens; empty without labels, and in place of a mask."""
        place = int(np.ravel(x)[0]) - self.first_label if self.labels else -1
        return self.labels[place] if 0 <= place < len(self.labels) else ""

    def label_share(self, label: str) -> float:
        """The share of training rows with a label; not a number where no row was counted."""
        shares = self.frequencies[self.first_label :]
        return shares[self.labels.index(label)] / sum(shares) if any(shares) else math.nan
