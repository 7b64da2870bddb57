"""The text of each token of a tokenizer adds up to what the tokenizer itself decodes."""

import json

import numpy as np
import pytest

from amd_jax.data import token_files, token_writing
from amd_jax.data.reading import token_texts
from amd_jax.facts import TokenFacts

pytest.importorskip("tokenizers")
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402

TEXT = "The naïve café\n  has 3 cups — of tea: 温かいお茶. "
CORPUS = [TEXT * 3, "the cup of the café has tea and more tea " * 4]


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=["<|end|>"]
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def with_spaces():
    """As SentencePiece marks the space before a word; a byte where it knows no character."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    steps = decoders.ByteFallback(), decoders.Metaspace(), decoders.Fuse()
    tokenizer.decoder = decoders.Sequence([*steps])
    signs = ["<unk>", *(f"<0x{n:02X}>" for n in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=signs, limit_alphabet=20, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def of_words():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=["[UNK]"])
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def saved(tokenizer, tmp_path):
    path = str(tmp_path / "tokenizer.json")
    tokenizer.save(path)
    return path


@pytest.mark.parametrize("make", [byte_level, with_spaces, of_words])
def test_texts_add_up_to_what_the_tokenizer_decodes(make, tmp_path):
    tokenizer = make()
    texts = token_texts.read(saved(tokenizer, tmp_path))
    assert len(texts) == tokenizer.get_vocab_size()
    facts = TokenFacts(len(texts), (8,), texts=texts)
    ids = tokenizer.encode(TEXT).ids
    want = tokenizer.decode(ids, skip_special_tokens=False)
    assert facts.decode(ids).strip(" ") == want.strip(" ")
    if make is byte_level:
        assert facts.decode(ids) == TEXT
        assert facts.decode([tokenizer.token_to_id("<|end|>")]) == "<|end|>"


def test_a_larger_vocabulary_has_numbers_for_the_rest(tmp_path):
    tokenizer = byte_level()
    ids = np.array(tokenizer.encode("\n".join(CORPUS)).ids, np.uint16)
    ids.tofile(tmp_path / "a.bin")
    place, path = str(tmp_path / "a.bin"), saved(tokenizer, tmp_path)
    facts = token_files.load(place, length=4, tokens=path).facts
    assert facts.num_classes == tokenizer.get_vocab_size() == 300
    facts = token_files.load(place, length=4, tokens=path, vocab_size=304).facts
    assert facts.texts[-1] == "<303>"
    assert facts.decode(ids) == "\n".join(CORPUS)


def test_what_is_no_tokenizer_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(ValueError, match="tokens is the tokenizer.json of .* found nothing at"):
        token_texts.read(str(path))
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer.json is none: "):
        token_texts.read(str(path))
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    tokenizer.decoder = decoders.Strip("a", 9, 9)  # Rust panics
    with pytest.raises(ValueError, match="tokenizer.json cannot decode its tokens: index out of"):
        token_texts.read(saved(tokenizer, tmp_path))


@pytest.mark.parametrize("number", [None, 1 << 20, 20_000_000, 4_294_967_295])
def test_tokens_have_numbers_that_a_vocabulary_reaches(number, tmp_path):
    vocab = {"a": 0, "b": number} if number else {}
    model = {"type": "WordLevel", "vocab": vocab, "unk_token": "a"}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"version": "1.0", "model": model}))
    (tmp_path / "a.txt").write_text("a b")
    found = f"numbers one {number:,}" if number else "has none"
    for use in (
        lambda: token_texts.read(str(path)),
        lambda: token_writing.write([tmp_path / "a.txt"], str(path), tmp_path / "out"),
    ):
        with pytest.raises(ValueError, match=f"0 to 1,048,575 at most; .*json {found}. Number"):
            use()
