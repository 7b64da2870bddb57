"""Chains: data of any length whose exact guess is known, to judge samplers at real sizes.

Tokens of a Markov chain, or of a hidden one, given noisy tokens: the forward and backward passes
of Baum and Welch (Rabiner, 1989, sec. III) give p(x_0[n] | x_t without token n) at all places in
time linear in the length, for every kernel that corrupts tokens independently. What a sampler
draws with it differs from the data by the sampler's own error, and the probability of a draw is
known.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Integer

from amd_jax.diffusion.exact import certificates
from amd_jax.diffusion.process import Process
from amd_jax.ops import categorical
from amd_jax.types import Array, Kernel, Key, Nats, Probs, Times, Tokens

Law = Float[Array, "B H"]  # of the hidden state at one place, or how likely what is seen there is


@dataclasses.dataclass(frozen=True, eq=False)
class Chain:
    """Rows of K classes, each token drawn from the hidden state at its place, one of H."""

    start: np.ndarray  # (H,), law of the first hidden state
    moves: np.ndarray  # (H, H), of the next one, given each
    emits: np.ndarray  # (H, K), of the token, given each

    def __post_init__(self):
        """Raises ValueError unless these are laws of matching sizes."""
        hidden = np.shape(self.start)
        sizes = np.shape(self.moves) == hidden * 2 and np.shape(self.emits)[:1] == hidden
        tables = (self.start, self.moves, self.emits)
        if not sizes or not all(
            np.min(p) >= 0 and np.allclose(np.sum(p, axis=-1), 1, atol=1e-6) for p in tables
        ):
            raise ValueError(
                "A chain has laws that sum to 1, of H states, (H,), (H, H) and (H, K); got "
                f"the shapes {', '.join(str(np.shape(p)) for p in tables)}."
            )

    @classmethod
    def markov(cls, moves: Float[np.ndarray, "K K"]) -> "Chain":
        """Tokens that depend on the one before: the hidden state is the token. Stationary."""
        moves = np.asarray(moves, np.float64)
        balance = np.vstack([moves.T - np.eye(len(moves)), np.ones(len(moves))])
        start = np.linalg.lstsq(balance, np.eye(len(moves) + 1)[-1], rcond=None)[0]
        return cls(np.maximum(start, 0) / np.maximum(start, 0).sum(), moves, np.eye(len(moves)))

    @property
    def num_classes(self) -> int:
        """K."""
        return self.emits.shape[1]

    def draw(self, rng: Key, shape: tuple[int, int]) -> Integer[Array, "B L"]:
        """Rows of the data."""
        moves, emits = jnp.asarray(self.moves, float), jnp.asarray(self.emits, float)
        rng_start, rng_walk, rng_token = jax.random.split(rng, 3)
        first = jnp.broadcast_to(jnp.asarray(self.start, float), (shape[0], len(moves)))

        def step(law: Law, rng: Key) -> tuple[Law, Integer[Array, "B"]]:
            state = categorical.sample(rng, law)
            return moves[state], state

        keys = jax.random.split(rng_walk, shape[1])
        _, states = jax.lax.scan(step, first, keys)
        return categorical.sample(rng_token, emits[states.T])

    def mean_state(self, length: int) -> Float[np.ndarray, "H"]:
        """The law of the hidden state at one of the first `length` places, all alike; float64."""
        now, total = np.asarray(self.start, np.float64), np.zeros(len(self.start))
        for _ in range(length):
            total, now = total + now, now @ self.moves
        return total / max(length, 1)

    def law(self, offsets: Sequence[int], length: int) -> Float[np.ndarray, "W"]:
        """The law of the tokens at n + offsets, for n drawn from all that fit into a row.

        W = K ** len(offsets), the first token changes slowest. Raises ValueError unless offsets
        begin with 0, rise, and end within the `length` of a row.
        """
        gaps = np.diff(offsets)
        if len(offsets) == 0 or offsets[0] != 0 or (gaps < 1).any() or offsets[-1] >= length:
            raise ValueError(
                f"Offsets begin with 0, rise, and are less than the length, {length}; got "
                f"{tuple(offsets)}."
            )
        joint = self.mean_state(length - offsets[-1])[None]  # [tokens so far, hidden state]
        for gap in (*gaps, 0):
            joint = (joint[:, None] * self.emits.T).reshape(-1, len(self.start))
            joint = joint @ np.linalg.matrix_power(self.moves, int(gap))
        return joint.sum(axis=1)

    def log_prob(self, x: Tokens) -> Nats:
        """Log-probability of rows (B, L)."""
        seen = categorical.one_hot(x, self.num_classes, jnp.asarray(0.0).dtype)
        return self._forward(self._of_states(seen))[1]

    def exact(self, kernel: Kernel) -> Process:
        """The process whose guess is p(x_0[n] | x_t without n) for rows of this chain.

        As `certificates.exact` of a table. Raises ValueError for a kernel of other classes.
        """
        if kernel.num_classes != self.num_classes:
            raise ValueError(
                f"A kernel on the classes of the chain, {self.num_classes}, is needed; got one "
                f"on {kernel.num_classes}."
            )
        noise_only = kernel.prior.shape[-1] - self.num_classes

        def predict(
            x_t: Tokens, t: Times, rng: Key | None = None, known: Bool[Array, "..."] | None = None
        ) -> Probs:
            seen = self._of_states(certificates.evidence_of(kernel, x_t, t, known))
            others = self._forward(seen)[0] * self._backward(seen)
            p_0 = categorical.normalize(_times(others, self.emits))
            return jnp.pad(p_0, ((0, 0), (0, 0), (0, noise_only)))

        return Process(kernel, predict, leave_one_out=True, sees_known=True)

    def _of_states(self, evidence: Float[Array, "B L K"]) -> Float[Array, "B L H"]:
        """What is seen at each place, given each hidden state there."""
        return _times(evidence, self.emits.T)

    def _forward(self, seen: Float[Array, "B L H"]) -> tuple[Float[Array, "B L H"], Nats]:
        """The law of each hidden state given what is seen before it, and log p of all of it."""
        start = jnp.broadcast_to(jnp.asarray(self.start, seen.dtype), seen[:, 0].shape)

        def step(now: Law, here: Law) -> tuple[Law, tuple[Law, Nats]]:
            joint = now * here
            return _times(categorical.normalize(joint), self.moves), (now, joint.sum(axis=-1))

        _, (laws, shares) = jax.lax.scan(step, start, jnp.swapaxes(seen, 0, 1))
        return jnp.swapaxes(laws, 0, 1), categorical.log(shares).sum(axis=0)

    def _backward(self, seen: Float[Array, "B L H"]) -> Float[Array, "B L H"]:
        """How likely is what is seen after each place, up to a factor, given its hidden state."""

        def step(after: Law, here: Law) -> tuple[Law, Law]:
            return categorical.normalize(_times(after * here, self.moves.T)), after

        ends = jnp.ones_like(seen[:, 0])
        _, result = jax.lax.scan(step, ends, jnp.swapaxes(seen, 0, 1), reverse=True)
        return jnp.swapaxes(result, 0, 1)


def _times(p: Float[Array, "... H"], matrix: np.ndarray) -> Float[Array, "... J"]:
    """p @ matrix without the short mantissas that accelerators multiply by."""
    return jnp.matmul(p, jnp.asarray(matrix, p.dtype), precision="highest")


def sticky(num_classes: int = 4, stay: float = 0.9) -> Chain:
    """A token stays with this probability, and else is any other one."""
    others = (1 - stay) / (num_classes - 1)
    return Chain.markov(np.where(np.eye(num_classes, dtype=bool), stay, others))


def segments(stay: float = 0.95) -> Chain:
    """A hidden Markov chain: segments rich in the classes 0 and 1, or in 2 and 3, as of DNA."""
    emits = np.array([[0.45, 0.45, 0.05, 0.05], [0.05, 0.05, 0.45, 0.45]])
    moves = np.array([[stay, 1 - stay], [1 - stay, stay]])
    return Chain(np.full(2, 0.5), moves, emits)
