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

every_kind = pytest.mark.parametrize("name", sorted(zoo.LINES))


def size(lines, row):
    """The tokens of a line, or None of a row that is no line."""
    label, line = row[: lines.start], row[lines.start :]
    if any(token <= lines.num_tokens for token in label):
        return None
    tokens = [token for token in line if token < lines.num_tokens]
    whole = tokens + [lines.num_tokens] * (len(line) - len(tokens))
    return len(tokens) if tokens and list(line) == whole else None


def every(lines):
    return enumeration.sequences(lines.num_classes, lines.length)


def is_line(lines, x):
    return np.array([size(lines, row.tolist()) is not None for row in x])


@pytest.mark.few(1)
@every_kind
def test_a_line_has_the_probability_of_its_length(name):
    """And no row with padding in its middle, or in front, has any."""
    lines = zoo.LINES[name]
    x = every(lines)
    nats = np.asarray(jax.jit(lines.log_prob)(x))
    for row, result in zip(x.tolist(), nats, strict=True):
        padded = row[lines.start :]
        n = sum(token != lines.padding for token in padded)
        rest = [token == lines.padding for token in row]
        if n and rest == sorted(rest):
            assert result == pytest.approx(np.log(lines.lengths[n - 1]), rel=1e-6)
        else:
            assert result == categorical.NEVER


@pytest.mark.few(1)
@every_kind
def test_from_left_to_right_all_lines_are_possible_and_nothing_else_is(name):
    lines = zoo.LINES[name]
    x, classes = every(lines), lines.num_classes + 2  # two states beyond the classes
    possible_next = jax.jit(lines.possible_next, static_argnums=1)
    possible = np.asarray(possible_next(x, classes))
    own = np.take_along_axis(possible, x[..., None], axis=-1)[..., 0]
    np.testing.assert_array_equal(own.all(axis=1), is_line(lines, x))
    assert possible.any(axis=-1).all()
    assert not possible[..., lines.num_classes :].any()
    changed = x.copy()
    changed[:, -1] = 0  # what comes after a position is not looked at
    np.testing.assert_array_equal(possible_next(changed, classes), possible)


@pytest.mark.few(1)
@every_kind
def test_numbers_decode_to_lines(name):
    """Position after position, the largest of what can be there; nothing after the end counts."""
    lines = zoo.LINES[name]
    z = jax.random.normal(jax.random.key(0), (500, lines.length, lines.num_classes))
    x = np.asarray(jax.jit(lines.decode)(z))
    assert is_line(lines, x).all()
    assert len(np.unique(x, axis=0)) == is_line(lines, every(lines)).sum()
    expected = np.zeros_like(x)
    possible_next = jax.jit(lines.possible_next, static_argnums=1)
    for position in range(lines.length):
        possible = np.asarray(possible_next(expected, lines.num_classes))[:, position]
        expected[:, position] = np.where(possible, z[:, position], -np.inf).argmax(axis=-1)
    np.testing.assert_array_equal(x, expected)
    after = np.asarray(lines.ended(jnp.asarray(x)))
    np.testing.assert_array_equal(after[:, 1:], x[:, :-1] == lines.padding)
    assert not after[:, 0].any()


@pytest.mark.few(1)
@every_kind
def test_padding_is_known_and_no_other_position_can_be_it(name):
    lines = zoo.LINES[name]
    x = jnp.asarray(every(lines))
    known = lines.known(x)
    np.testing.assert_array_equal(known, np.asarray(x) == lines.num_tokens)
    possible = np.asarray(lines.possible(x, jnp.zeros_like(known), lines.num_classes + 1))
    assert (possible[known].argmax(axis=-1) == lines.padding).all()
    assert (possible[known].sum(axis=-1) == 1).all()
    assert not possible[~known][:, lines.padding].any()
    for position, tokens in enumerate(lines.each(lines.num_classes + 1)):
        free = ~np.asarray(known)[:, position]
        assert (possible[free, position] == tokens).all()
        count = lines.num_labels if position < lines.start else lines.num_tokens
        assert tokens.sum() == count


@pytest.mark.few(1)
@every_kind
def test_lengths_are_drawn_by_their_law(name):
    lines = zoo.LINES[name]
    draw = jax.jit(lines.draw, static_argnums=1)
    first = np.asarray(draw(jax.random.key(0), (5000, lines.length)))
    assert set(np.unique(first)) <= {-1, lines.padding}
    assert (np.diff(first, axis=1) >= 0).all()  # padding at the end only
    sizes = (first == -1).sum(axis=1) - lines.start
    enumeration.assert_drawn_from(sizes - 1, np.array(lines.lengths))


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
