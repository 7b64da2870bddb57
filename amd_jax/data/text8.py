"""text8: the first 100 million characters of English Wikipedia, as 27 symbols.

Source: Mahoney, "About the test data", mattmahoney.net/dc/textdata.html. Splits, row length and
order of the alphabet as in Hoogeboom et al. (2021).
"""

from amd_jax.data.download import tokens
from amd_jax.data.download.published import Corpus
from amd_jax.data.text import Text

CORPUS = Corpus(
    name="text8",
    url="http://mattmahoney.net/dc/text8.zip",
    # The size is that of TensorFlow's word2vec_basic.py; both numbers agree in a dozen public
    # repositories, with the text's md5 of 3bea1919949baf155f99411df5fada7e on Mahoney's page.
    size=31_344_016,
    sha256="a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
    splits={"train": 90_000_000, "validation": 5_000_000, "test": 5_000_000},
    alphabet=" abcdefghijklmnopqrstuvwxyz",
)
NUM_CLASSES = 27


def load(length: int = 256, data_dir: str | None = None) -> Text:
    """Rows of text8: 351,562 to train on, 19,531 each for validation and test at length 256."""
    return tokens.load(CORPUS, length, data_dir)
