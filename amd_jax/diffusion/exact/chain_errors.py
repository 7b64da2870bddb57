"""How far rows are from the chain that they should be draws of, at any length.

Two figures, since either alone can be fooled. `excess_bits` sees everything that makes a row less
likely, at any distance, but rows that are too regular score below 0. `divergence` is a divergence
between laws, so it is 0 for no rows but those with the chain's law, but it looks at a few tokens
at a time. A sampler with both within the error of 0 is as close to the data as so many rows tell.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from amd_jax.diffusion.exact import certificates
from amd_jax.diffusion.exact.chains import Chain
from amd_jax.ops import categorical
from amd_jax.types import Key, Tokens

DRAWS = 4096  # rows by which the entropy of a hidden chain is estimated


class Estimate(NamedTuple):
    """A number of bits, and its standard error over rows."""

    bits: float
    error: float


def entropy(chain: Chain, length: int, rng: Key, draws: int = DRAWS) -> Estimate:
    """Bits a token of rows of a chain: exact if tokens show the state, else from `draws` rows."""
    if np.array_equal(chain.emits, np.eye(chain.num_classes)):
        before = chain.mean_state(length - 1)
        first, moved = map(certificates.entropy, (chain.start, chain.moves))
        nats = float(first + (length - 1) * (before @ moved))  # no step, if the length is 1
        return Estimate(nats / (length * np.log(2)), 0.0)
    return _mean_bits(chain, chain.draw(rng, (draws, length)))


def excess_bits(chain: Chain, x: Tokens, rng: Key) -> Estimate:
    """Mean of -log2 p(x) a token, less the chain's entropy; x (B, L) are rows to judge.

    Above 0, tokens fit each other less well than those of the data; below, they are more regular,
    as at a lower temperature. It is KL(law of x || chain) a token, plus what the entropy of x has
    more than the data's.
    """
    _check(chain, x)
    drawn, real = _mean_bits(chain, x), entropy(chain, x.shape[1], rng)
    return Estimate(drawn.bits - real.bits, float(np.hypot(drawn.error, real.error)))


def divergence(chain: Chain, x: Tokens, offsets: Sequence[int] = (0, 1, 2, 3)) -> Estimate:
    """KL(law of tokens of x at n + offsets || the chain's) in bits, over all n; x is (B, L).

    (0, 1, 2, 3) are four neighbours, which hold all pairs that are up to three apart; (0, 64) are
    pairs far apart. Counting in few rows biases KL upwards; the jackknife over rows (Efron and
    Stein, 1981) takes off the first order of that, whatever the dependence within a row, and
    gives the error. So it may be below 0, by chance. Compare with that of as many draws of the
    chain itself. Raises ValueError for fewer windows than classes of them.
    """
    _check(chain, x)
    law, counts = chain.law(offsets, x.shape[1]), _counts(chain, np.asarray(x), offsets)
    if counts.sum() < law.size or len(x) < 2:
        raise ValueError(
            f"To count {chain.num_classes} ** {len(offsets)} = {law.size} classes of windows "
            f"takes two rows or more, and as many windows; got {int(counts.sum())} in "
            f"{len(x)} rows. Draw more rows, or take fewer offsets."
        )
    total, rows = counts.sum(axis=0), len(counts)
    each = _kl(total - counts, law)  # without each row
    value = rows * _kl(total, law) - (rows - 1) * each.mean()
    return Estimate(float(value), float(((rows - 1) * each.var()) ** 0.5))


def _check(chain: Chain, x: Tokens) -> None:
    """Raises ValueError for tokens that are no classes, as masks that were left."""
    categorical.check_tokens(np.asarray(x), chain.num_classes)


def _mean_bits(chain: Chain, x: Tokens) -> Estimate:
    """Mean of -log2 p(x) a token."""
    bits = -np.asarray(jax.jit(chain.log_prob)(x), np.float64) / (x.shape[1] * np.log(2))
    return Estimate(float(bits.mean()), float(bits.std(ddof=1) / len(bits) ** 0.5))


def _counts(chain: Chain, x: np.ndarray, offsets: Sequence[int]) -> Float[np.ndarray, "B W"]:
    """How often each row has each of the W = K ** len(offsets) windows."""
    number = x.shape[1] - offsets[-1]
    size = chain.num_classes ** len(offsets)
    code = np.zeros((len(x), number), np.int64)
    for offset in offsets:
        code = code * chain.num_classes + x[:, offset : offset + number]
    code += size * np.arange(len(x))[:, None]
    return np.bincount(code.ravel(), minlength=size * len(x)).reshape(len(x), size).astype(float)


def _kl(counts: np.ndarray, law: np.ndarray) -> np.ndarray:
    """KL(counts || law) in bits: (..., W), (W,) -> (...)."""
    q = counts / counts.sum(axis=-1, keepdims=True)
    ratio = q / np.maximum(law, categorical.FLOOR)
    return np.asarray((q * np.log2(np.where(q > 0, ratio, 1))).sum(axis=-1))
