"""Lines: which rows are lines, and what each position can be, by enumeration of every row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.facts import LineFacts
from amd_jax.ops import categorical
from amd_jax.ops.lines import Lines
from amd_jax.types import Support
from tests import enumeration, zoo

every_kind = pytest.mark.parametrize("lines", zoo.LINES.values(), ids=zoo.LINES)


def every_row(lines):
    """All rows, and which have padding at their end alone, after a token or more."""
    x = enumeration.sequences(lines.num_classes, lines.length)
    padding = x == lines.padding
    goes_on = (padding[:, :-1] & ~padding[:, 1:]).any(axis=1)
    return x, ~goes_on & ~padding[:, : lines.start + 1].any(axis=1)


def are_lines(lines, x, padded):
    """Labels stand before the first position of a line, and nowhere else."""
    labels = np.arange(lines.length) < lines.start
    return padded & ((x > lines.padding) == labels).all(axis=1)


@pytest.mark.few(1)
@every_kind
def test_a_line_has_the_probability_of_its_length_and_lengths_are_drawn_so(lines):
    """No row with padding in its middle, or in front, has any."""
    x, padded = every_row(lines)
    n = (x[:, lines.start :] != lines.padding).sum(axis=1)
    expected = np.where(padded, np.log(lines.lengths)[n - 1], categorical.NEVER)
    np.testing.assert_allclose(jax.jit(lines.log_prob)(x), expected, rtol=1e-6)
    draw = jax.jit(lines.draw, static_argnums=1)
    first = np.asarray(draw(jax.random.key(0), (5000, lines.length)))
    assert set(np.unique(first)) <= {-1, lines.padding}
    assert (np.diff(first, axis=1) >= 0).all()  # padding at the end only
    sizes = (first == -1).sum(axis=1) - lines.start
    enumeration.assert_drawn_from(sizes - 1, np.array(lines.lengths))


@pytest.mark.few(1)
@every_kind
def test_from_left_to_right_all_lines_are_possible_and_nothing_else_is(lines):
    (x, padded), classes = every_row(lines), lines.num_classes + 2  # two states beyond
    possible_next = jax.jit(lines.possible_next, static_argnums=1)
    possible = np.asarray(possible_next(x, classes))
    own = np.take_along_axis(possible, x[..., None], axis=-1)[..., 0]
    np.testing.assert_array_equal(own.all(axis=1), are_lines(lines, x, padded))
    assert possible.any(axis=-1).all()
    assert not possible[..., lines.num_classes :].any()
    changed = x.copy()
    changed[:, -1] = 0  # what comes after a position is not looked at
    np.testing.assert_array_equal(possible_next(changed, classes), possible)


@pytest.mark.few(1)
@every_kind
def test_numbers_decode_to_lines(lines):
    """Position after position, the largest of what can be there; nothing after the end counts."""
    z = jax.random.normal(jax.random.key(0), (500, lines.length, lines.num_classes))
    x, (rows, padded) = np.asarray(jax.jit(lines.decode)(z)), every_row(lines)
    np.testing.assert_array_equal(np.unique(x, axis=0), rows[are_lines(lines, rows, padded)])
    expected = np.zeros_like(x)
    possible_next = jax.jit(lines.possible_next, static_argnums=1)
    for position in range(lines.length):
        possible = np.asarray(possible_next(expected, lines.num_classes))[:, position]
        expected[:, position] = np.where(possible, z[:, position], -np.inf).argmax(axis=-1)
    np.testing.assert_array_equal(x, expected)
    after = np.pad(x[:, :-1] == lines.padding, ((0, 0), (1, 0)))
    np.testing.assert_array_equal(lines.ended(jnp.asarray(x)), after)


@pytest.mark.few(1)
@every_kind
def test_padding_is_known_and_no_other_position_can_be_it(lines):
    x, _ = every_row(lines)
    known, states = np.asarray(lines.known(x)), np.arange(lines.num_classes + 1)
    np.testing.assert_array_equal(known, x == lines.padding)
    labels = (states > lines.padding) & (states < lines.num_classes)
    each = [labels] * lines.start + [states < lines.padding] * len(lines.lengths)
    np.testing.assert_array_equal(lines.each(len(states)), each)
    expected = np.where(known[..., None], states == lines.padding, each)
    possible = lines.possible(jnp.asarray(x), np.zeros_like(known), len(states))
    np.testing.assert_array_equal(possible, expected)


def test_supports_fulfil_the_protocol():
    for support in (*zoo.COLUMNS.values(), *zoo.LINES.values()):
        assert isinstance(support, Support)


def test_lines_of_facts_have_their_padding_lengths_and_labels():
    facts = LineFacts.of("CNO", (0.2, 0.3, 0.5), ("acid", "base"))
    lines = Lines.of(facts)
    assert lines == Lines(3, (0.2, 0.3, 0.5), 2)
    assert (lines.length,) == facts.event_shape
    assert (lines.padding, lines.num_classes) == (facts.padding, facts.num_classes)
    row = facts.row("CO", "base")
    assert lines.log_prob(row[None])[0] == pytest.approx(np.log(0.3))
    assert lines.possible_next(row[None], 6)[0, np.arange(4), row].all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((0, (1.0,)), "1 token or more"),
        ((2, (1.0,), -1), "0 labels or more"),
        ((2, ()), "got 0 numbers"),
        ((2, (0.5, 0.4)), "sum 0.9"),
        ((2, (1.5, -0.5)), "sums to 1"),
    ],
)
def test_what_is_no_law_of_lines_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Lines(*fields)
