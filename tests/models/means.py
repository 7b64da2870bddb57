"""Means of draws against what they should be."""


def assert_mean(draws, expected, largest_error, slack=0.0):
    """Every mean over axis 0 is within 5 standard errors (and `slack`), and those are small."""
    error = draws.std(axis=0) / len(draws) ** 0.5
    assert error.max() < largest_error, f"standard error {error.max():.3g}: too loose to mean much"
    assert (abs(draws.mean(axis=0) - expected) <= 5 * error + slack + 1e-5).all(), (
        draws.mean(axis=0),
        expected,
        error,
    )
