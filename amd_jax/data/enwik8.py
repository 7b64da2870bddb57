"""enwik8: the first 100 million bytes of an English Wikipedia XML dump.

Source: Mahoney, "About the test data", mattmahoney.net/dc/textdata.html. Splits and row length as
in Hoogeboom et al. (2021).
"""

from amd_jax.data.download import tokens
from amd_jax.data.download.published import Corpus
from amd_jax.data.text import Text

CORPUS = Corpus(
    name="enwik8",
    url="http://mattmahoney.net/dc/enwik8.zip",
    # The size is that of the dataset card on Hugging Face ("download_size" of enwik8); both
    # numbers agree in a dozen public repositories.
    size=36_445_475,
    sha256="547994d9980ebed1288380d652999f38a14fe291a6247c157c3d33d4932534bc",
    splits={"train": 90_000_000, "validation": 5_000_000, "test": 5_000_000},
    alphabet=None,
)
NUM_CLASSES = 256


def load(length: int = 320, data_dir: str | None = None) -> Text:
    """Rows of enwik8: 281,250 to train on, 15,625 each for validation and test at length 320."""
    return tokens.load(CORPUS, length, data_dir)
