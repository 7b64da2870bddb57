from amd_jax.evaluation import spelling


def test_whole_words_are_looked_up():
    # "he" and "ca" are cut off, "dog" is unknown
    assert spelling.share_of_known_words(["he cat and dog ca"], "the cat and the hat") == 2 / 3


def test_a_word_inside_the_sample_is_whole():
    assert spelling.share_of_known_words([" cat "], "the cat") == 1.0


def test_every_word_counts_once_over_all_samples():
    samples = [" cat cat cat ", " dog "]
    assert spelling.share_of_known_words(samples, "the cat") == 3 / 4


def test_no_whole_word_is_no_known_word():
    assert spelling.share_of_known_words(["cat", ""], "the cat") == 0.0
