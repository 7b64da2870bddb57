"""Supports of which no token is drawn before the others."""

import jax.numpy as jnp

from amd_jax.types import Flags, Key, Nats, Tokens


class NothingFirst:
    """The part of a `Support` that is the same wherever nothing is drawn first, and none ends."""

    def ended(self, x: Tokens) -> Flags:
        """No row ends before its last token."""
        return jnp.zeros(x.shape, bool)

    def known(self, x: Tokens) -> Flags:
        """No token is drawn before the others."""
        return jnp.zeros(x.shape, bool)

    def log_prob(self, x: Tokens) -> Nats:
        """0: nothing is drawn first."""
        return jnp.zeros(len(x))

    def draw(self, rng: Key, shape: tuple[int, ...]) -> Tokens:
        """-1: nothing is drawn first."""
        return jnp.full(shape, -1)
