"""Maps with a label: rows of one label and the pixels of a map."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from amd_jax.facts import MapFacts
from amd_jax.ops.nothing_first import NothingFirst
from amd_jax.types import Array, Flags, Latents, Tokens


@dataclasses.dataclass(frozen=True)
class LabelledMaps(NothingFirst):
    """Which rows of tokens are maps with a label: their support.

    A row has 1 + P tokens: the label c in [0, C) as the token K + c, then P pixels in [0, K).
    """

    num_categories: int  # K
    num_labels: int  # C
    num_pixels: int  # P

    def __post_init__(self):
        """Raises ValueError for no categories, labels or pixels."""
        if min(self.num_categories, self.num_labels, self.num_pixels) < 1:
            raise ValueError(
                "Maps with a label have 1 category, label and pixel or more; got "
                f"num_categories={self.num_categories}, num_labels={self.num_labels} and "
                f"num_pixels={self.num_pixels}."
            )

    @classmethod
    def of(cls, facts: MapFacts) -> "LabelledMaps | None":
        """The labelled maps of some data; None for maps without labels, which can be any."""
        if not facts.labels:
            return None
        return cls(facts.categories, len(facts.labels), facts.event_shape[0] - 1)

    @property
    def length(self) -> int:
        """1 + P."""
        return 1 + self.num_pixels

    @property
    def num_classes(self) -> int:
        """K + C."""
        return self.num_categories + self.num_labels

    def each(self, num_classes: int) -> Bool[np.ndarray, "L K"]:
        """Which tokens the label can be, and each pixel."""
        tokens = np.arange(num_classes)
        is_pixel = tokens < self.num_categories
        is_label = ~is_pixel & (tokens < self.num_classes)
        return np.concatenate([is_label[None], np.tile(is_pixel, (self.num_pixels, 1))])

    def possible(self, x: Tokens, known: Flags, num_classes: int) -> Bool[Array, "B *event K"]:
        """The same for all rows x (B, L): no token says what another can be."""
        each = jnp.asarray(self.each(num_classes))
        return jnp.broadcast_to(each, (*x.shape, num_classes))

    def possible_next(self, x: Tokens, num_classes: int) -> Bool[Array, "B *event K"]:
        """The same for all rows x (B, L)."""
        return self.possible(x, self.ended(x), num_classes)

    def decode(self, z: Latents) -> Tokens:
        """The row of z (B, L, K): the argmax of what each token can be."""
        return jnp.argmax(jnp.where(self.each(z.shape[-1]), z, -jnp.inf), axis=-1)
