"""Lines that lose tokens, by enumeration in float64: every state of every token is written out."""

import itertools

import numpy as np

DROPPED, MASKED, CLEAN = range(3)


def lines(num_tokens: int, longest: int) -> list[tuple[int, ...]]:
    """Every line of up to so many tokens, the empty one first."""
    return [
        line for n in range(longest + 1) for line in itertools.product(range(num_tokens), repeat=n)
    ]


def padded(rows, length: int, padding: int) -> np.ndarray:
    """Lines as rows (N, L)."""
    return np.array([[*row, *(padding,) * (length - len(row))] for row in rows], np.int32)


def histories(line, mask: int):
    """What can become of a line: pairs of x_t and the states of all tokens."""
    for states in itertools.product(range(3), repeat=len(line)):
        kept = [(mask if s == MASKED else k) for k, s in zip(line, states, strict=True) if s]
        yield tuple(kept), states


def gaps(states) -> np.ndarray:
    """How many tokens were dropped before, between and after those that stayed."""
    counts = [0]
    for state in states:
        if state == DROPPED:
            counts[-1] += 1
        else:
            counts.append(0)
    return np.array(counts, float)


def masked_tokens(line, states) -> list[int]:
    """The tokens behind the masks, from left to right."""
    return [k for k, state in zip(line, states, strict=True) if state == MASKED]
