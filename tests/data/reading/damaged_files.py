"""A program that damages files and reads them: the last line of JSON for each holds.

    python -m tests.data.reading.damaged_files FOLDER FIRST LAST FORMAT...

Each format has a process of its own, forked here, so an import is paid for once and a signal ends
no other format. A read that takes over `SECONDS` ends its process, too.
"""

import faulthandler
import hashlib
import json
import multiprocessing
import os
import pathlib
import resource
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from PIL import Image

from amd_jax.cli import command_line
from amd_jax.data import lines, maps, table, token_files, token_writing
from amd_jax.exports import export_folder
from tests.data.reading import test_token_shards

SECONDS, MEMORY = 10, 1 << 33  # of one read; bytes of address space of a process
FLIPS = (1, 2, 4, 8, 16)  # bits of a file
DAMAGES = ("flipped", "cut")
FAULT = "fault"  # a signal, a hang, or anything that the command line would not say in one line
ROWS = 3000
RNG = np.random.default_rng(0)
WORDS = ["red", "green", "blue"] * (ROWS // 3)


class Format(NamedTuple):
    """Files of a format: how sound ones are made in a folder, and how they are read."""

    make: Callable[[pathlib.Path], None]
    read: Callable[[pathlib.Path], object]
    files: tuple[str, ...]  # those that are damaged, by turns


def frame() -> pa.Table:
    """A column of each kind that a table has."""
    numbers = RNG.integers(0, 50, ROWS)
    columns = {
        "word": pa.array(WORDS),
        "count": pa.array(numbers, mask=numbers == 7),
        "share": pa.array(np.round(RNG.random(ROWS), 2)),
        "kind": pa.array(WORDS).dictionary_encode(),
        "day": pa.array(numbers.astype("datetime64[D]")),
        "true": pa.array(numbers > 20),
    }
    return pa.table(columns)


def of_table(name: str, write: Callable[[pathlib.Path], object]) -> Format:
    """A table in a file, which is written at a path."""
    return Format(
        lambda folder: write(folder / name),
        lambda folder: table.load(str(folder / name), columns="word:categorical").facts,
        (name,),
    )


def arrow(writer: Callable, compression: str | None = None) -> Format:
    def write(path: pathlib.Path) -> None:
        options = pa.ipc.IpcWriteOptions(compression=compression)
        data = frame()
        with writer(str(path), data.schema, options=options) as file:
            file.write_table(data, max_chunksize=1000)

    return of_table("t.arrow", write)


def zipped_csv(path: pathlib.Path) -> None:
    with pa.CompressedOutputStream(str(path), "gzip") as file:
        pa.csv.write_csv(frame(), file)


def parquet(path: pathlib.Path) -> None:
    pa.parquet.write_table(frame(), path, row_group_size=1000)


def documents(folder: pathlib.Path) -> None:
    """Tokens with the ends of their documents."""
    tokens = RNG.integers(0, 60, 4000)
    tokens.astype("<u2").tofile(folder / "t.bin")
    np.append(np.arange(13, 4000, 13), 4000).astype("<i8").tofile(folder / "t.ends")


def megatron(folder: pathlib.Path) -> None:
    test_token_shards.megatron(
        folder / "t.bin", RNG.integers(0, 60, 4000).astype("<u2"), np.full(200, 20)
    )


def of_tokens(name: str, documents: str) -> Callable[[pathlib.Path], object]:
    def read(folder: pathlib.Path) -> None:
        data = token_files.load(str(folder / name), length=16, documents=documents)
        _ = data.facts, [data.rows(split)[:] for split in data.splits], data.batch(0, 0, 4)

    return read


def tokenizer(folder: pathlib.Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    made.save(str(folder / "tokenizer.json"))
    RNG.integers(0, 256, 4000).astype("<u2").tofile(folder / "t.bin")
    (folder / "t.txt").write_text("\n".join(f"{a} {n}" for n, a in enumerate(WORDS)))


def by_tokenizer(folder: pathlib.Path) -> None:
    """All three ways in which a tokenizer is used."""
    tokens, text = str(folder / "tokenizer.json"), str(folder / "t.txt")
    _ = token_files.load(str(folder / "t.bin"), length=16, tokens=tokens).facts
    cut("t.txt")(folder)
    _ = lines.load(text, tokens=tokens).facts


def pngs(folder: pathlib.Path) -> None:
    (folder / "maps").mkdir()
    for n in range(20):
        image = Image.fromarray(RNG.integers(0, 5, (12, 16), np.uint8))
        image.putpalette(bytes(range(48)))
        image.save(folder / "maps" / f"{n:02}.png")


def arrays(folder: pathlib.Path) -> None:
    x = RNG.integers(0, 5, (40, 6, 8), np.uint8)
    np.save(folder / "t.npy", x)
    np.savez_compressed(folder / "t.npz", train=x, validation=x[:4], test=x[:4])
    np.savez(folder / "stored.npz", x)


def seen(name: str) -> Callable[[pathlib.Path], object]:
    """Reads maps as a training does."""
    return lambda folder: maps.load(folder / name).facts


def export(folder: pathlib.Path) -> None:
    import jax

    from amd_jax import models, networks
    from amd_jax.diffusion import kernels, schedules
    from amd_jax.facts import TextFacts

    kernel = kernels.uniform(schedules.cosine, 3)
    model = models.Diffusion(kernel, networks.Hollow(3, width=8, blocks=1, join_width=8), steps=4)
    params = jax.jit(model.init)(jax.random.key(0), np.zeros((1, 6), np.int32))
    facts = TextFacts(3, (6,), name="ab", alphabet="ab ", frequencies=(0.5, 0.25, 0.25))
    run = {"experiment": "quickstart", "step": 3, "seconds": 1.0, "config": {"num_steps": 5}}
    export_folder.write(folder, model, params, facts, run=run, results=[], card="card")


def with_its_checksum(folder: pathlib.Path) -> None:
    """Reads an export whose checksums are those of its damaged file."""
    sums = folder / export_folder.CHECKSUMS
    known = json.loads(sums.read_text())
    content = (folder / export_folder.WEIGHTS).read_bytes()
    known[export_folder.WEIGHTS] = hashlib.sha256(content).hexdigest()
    sums.write_text(json.dumps(known))
    export_folder.read(folder)


def corpus(folder: pathlib.Path) -> None:
    tokenizer(folder)
    pa.parquet.write_table(
        pa.table({"text": [f"{word} {n}" for n, word in enumerate(WORDS)]}),
        folder / "c.parquet",
        row_group_size=1000,
    )
    (folder / "c.jsonl").write_text("".join(f'{{"text": "{word}"}}\n' for word in WORDS))


def cut(name: str) -> Callable[[pathlib.Path], object]:
    def read(folder: pathlib.Path) -> None:
        for old in (folder / "cut").glob("*"):
            old.unlink()
        token_writing.write([folder / name], str(folder / "tokenizer.json"), folder / "cut")

    return read


FORMATS = {
    "csv": of_table("t.csv", lambda path: pa.csv.write_csv(frame(), path)),
    "csv.gz": of_table("t.csv.gz", zipped_csv),
    "parquet": of_table("t.parquet", parquet),
    "arrow file": arrow(pa.ipc.new_file),
    "arrow stream": arrow(pa.ipc.new_stream),
    "feather": arrow(pa.ipc.new_file, "lz4"),
    "npy": Format(arrays, seen("t.npy"), ("t.npy",)),
    "npz": Format(arrays, seen("t.npz"), ("t.npz",)),
    "npz stored": Format(arrays, seen("stored.npz"), ("stored.npz",)),
    "png": Format(pngs, seen("maps"), ("maps/07.png", "maps/00.png")),
    "safetensors": Format(export, export_folder.read, (export_folder.WEIGHTS,)),
    "safetensors, new checksum": Format(export, with_its_checksum, (export_folder.WEIGHTS,)),
    "tokenizer.json": Format(tokenizer, by_tokenizer, ("tokenizer.json",)),
    "tokens": Format(documents, of_tokens("t.bin", "apart"), ("t.ends", "t.bin")),
    "tokens npy": Format(
        lambda folder: np.save(folder / "t.npy", RNG.integers(0, 60, 4000, np.uint16)),
        of_tokens("t.npy", "cross"),
        ("t.npy",),
    ),
    "megatron": Format(megatron, of_tokens("t.bin", "apart"), ("t.idx",)),
    "corpus parquet": Format(corpus, cut("c.parquet"), ("c.parquet",)),
    "corpus jsonl": Format(corpus, cut("c.jsonl"), ("c.jsonl",)),
}


def damaged(content: bytes, damage: str, seed: int) -> bytes:
    """A file with some bits flipped, or cut off somewhere."""
    rng = np.random.default_rng(seed)
    if damage == "cut":
        return content[: rng.integers(len(content))]
    bits = np.unpackbits(np.frombuffer(content, np.uint8))
    bits[rng.choice(len(bits), rng.choice(FLIPS), replace=False)] ^= 1
    return np.packbits(bits).tobytes()


def outcome(read: Callable[[pathlib.Path], object], folder: pathlib.Path) -> tuple[str, str]:
    """What becomes of a read, and what is said."""
    try:
        read(folder)
    except BaseException as error:
        line = str(error).strip()
        named = f"{type(error).__module__}.{type(error).__name__}: {line}"
        users = isinstance(error, Exception) and command_line.is_users(error)
        return ("refused", line) if users and line and "\n" not in line else (FAULT, named)
    return "harmless", ""


def say(*fields: object) -> None:
    os.write(1, (json.dumps(fields) + "\n").encode())


def read_all(name: str, root: pathlib.Path, todo: list[tuple[str, int]], begun: Any) -> None:
    """Makes the files of a format, and reads them with each damage; says a fault until it ends."""
    folder = root / f"{name} {len(todo)}"
    folder.mkdir()
    made = FORMATS[name]
    made.make(folder)
    made.read(folder)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for damage, seed in todo:
        file = folder / made.files[seed % len(made.files)]
        sound = file.read_bytes()
        file.unlink()
        file.write_bytes(damaged(sound, damage, seed))
        say(name, damage, seed, FAULT, "its process ended")
        begun.value += 1
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        result = outcome(made.read, folder)
        faulthandler.cancel_dump_traceback_later()
        say(name, damage, seed, *result)
        file.write_bytes(sound)


def main(root: str, first: str, last: str, *names: str) -> None:
    """Says what became of each file; after a signal a new process goes on with the next one."""
    begun = multiprocessing.RawValue("i")
    for name in names:
        todo = [(damage, seed) for damage in DAMAGES for seed in range(int(first), int(last))]
        while todo:
            begun.value = 0
            if not os.fork():
                read_all(name, pathlib.Path(root), todo, begun)
                os._exit(0)
            os.wait()
            if not begun.value:
                raise SystemExit(f"{name} is not read, even undamaged")
            todo = todo[begun.value :]


if __name__ == "__main__":
    main(*sys.argv[1:])
