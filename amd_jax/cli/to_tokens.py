"""`experiments.to_tokens`: cuts a corpus into files of tokens."""

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from amd_jax.cli import console, flags
from amd_jax.data import token_writing
from amd_jax.host.printable import in_one_line
from amd_jax.options import number
from amd_jax.pages import commands


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Flags of `experiments.to_tokens`."""

    tokens: str | None = number(None, "The tokenizer.json of `tokenizers`.", kind=Path)
    output: str = number("tokens", "The folder to write.", kind=Path)
    field: str = number("text", "Where a .jsonl or a .parquet has its text.", kind=str)
    end: str = number("", "A token to put after each document.", kind=str)


def main(argv: Sequence[str]) -> None:
    """Writes the tokens of some files into a folder."""
    if flags.answers(argv[1:], lambda: flags.usage("to_tokens", Options)):
        return
    args, sources = flags.read_with_names(argv[1:], Options)
    example = "python -m experiments.to_tokens book.txt --tokens=tokenizer.json"
    if not sources:
        raise ValueError(f"The files of the corpus are missing. Try: {example}")
    if not args.tokens:
        raise ValueError(f"The tokenizer is missing. Try: {example}")
    with tqdm(total=len(sources), unit="file", disable=None) as bar:
        place = {name: i for i, name in enumerate(Path(source).name for source in sources)}

        def progress(name: str, share: float) -> None:
            bar.set_postfix_str(in_one_line(name), refresh=False)
            bar.n = round(place[name] + share, 3)
            bar.refresh()

        written = token_writing.write(
            sources, args.tokens, args.output, args.field, args.end, progress
        )
    for name, count in written.tokens.items():
        print(f"{in_one_line(written.folder / name)}: {count:,} tokens of {written.dtype}")
    places = {"config.data.path": written.folder, "config.data.tokens": args.tokens}
    if written.dtype != "uint16":
        places["config.data.dtype"] = written.dtype
    start = console.as_started("python -m experiments.run")
    data = " ".join(itertools.starmap(commands.flag, places.items()))
    print(f"\nTrain a model of them by\n    {start} --config=own_tokens {data}")
