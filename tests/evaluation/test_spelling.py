import numpy as np
import pytest

from amd_jax.evaluation import spelling


@pytest.mark.parametrize(
    ("samples", "text", "share"),
    [
        (["he cat and dog ca"], "the cat and the hat", 2 / 3),  # "he", "ca": cut off; dog: unknown
        ([" cat "], "the cat", 1.0),
        ([" cat cat cat ", " dog "], "the cat", 3 / 4),
        (["cat", ""], "the cat", 0.0),
        ([" cat cat cat ", "cat", ""], "the cat", 1.0),
    ],
)
def test_whole_words_are_looked_up_over_all_samples(samples, text, share):
    assert spelling.share_of_known_words(samples, text)[0] == share


def test_its_error_is_over_samples():
    rng = np.random.default_rng(0)
    words = rng.choice(["cat", "dog"], (200, 50, 20))
    drawn = [[" ".join(["", *sample, ""]) for sample in texts] for texts in words]
    shares, errors = zip(*(spelling.share_of_known_words(x, "cat") for x in drawn), strict=True)
    np.testing.assert_allclose(np.mean(errors), np.std(shares), rtol=0.2)
    assert np.isnan(spelling.share_of_known_words([" cat "], "cat")[1])
