"""Digits against the reference code's, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.ops import integers
from tests import golden_files

GOLDEN = golden_files.load("integer_to_base")


def test_digits_are_those_of_the_reference():
    cases = [name.removeprefix("idx_") for name in GOLDEN if name.startswith("idx_")]
    assert len(cases) > 3
    for case in cases:
        x, want, base = GOLDEN[f"idx_{case}"], GOLDEN[f"digits_{case}"], int(case.split("b")[-1])
        digits = integers.to_digits(jnp.asarray(x), base, want.shape[-1])
        np.testing.assert_array_equal(digits, want, case)
        np.testing.assert_array_equal(integers.from_digits(digits, base), x, case)


def test_number_of_binary_digits_is_that_of_the_reference():
    result = [integers.num_digits(int(k), 2) for k in GOLDEN["classes2dims_in"]]
    assert result == GOLDEN["classes2dims_out"].tolist()


@pytest.mark.parametrize(
    ("num_classes", "base", "digits"),
    [(2, 2, 1), (2, 27, 1), (27, 27, 1), (27, 6, 2), (27, 3, 3), (28, 3, 4), (256, 2, 8)],
)
def test_number_of_digits(num_classes, base, digits):
    assert integers.num_digits(num_classes, base) == digits


def test_codes_of_no_class_are_unused():
    """Those with a digit that is unused, and those beyond the classes."""
    digits = jnp.array([[0, 1], [1, -1], [-1, 1], [-1, -1]])
    np.testing.assert_array_equal(integers.from_digits(digits, 2), [1, -1, -1, -1])
    x = jnp.array([-2, -1, 0, 2, 3, 9])
    np.testing.assert_array_equal(integers.valid(x, 3), [-1, -1, 0, 2, -1, -1])


@pytest.mark.parametrize(
    ("num_classes", "base", "message"),
    [(1, 2, "at least 2 classes; got num_classes=1"), (5, 1, "at least 2; got base=1")],
)
def test_what_has_no_digits_is_refused(num_classes, base, message):
    with pytest.raises(ValueError, match=message):
        integers.num_digits(num_classes, base)
