"""Cuts a corpus into files of tokens, once, for the experiment `own_tokens`.

    python -m experiments.to_tokens book.txt pages.jsonl --tokens=tokenizer.json --output=tokens
    python -m experiments.run --config=own_tokens --config.data.path=tokens

Of a .jsonl or a .parquet the text is in --field. All cores work; after a kill the same command
goes on with the next file. --end="<|endoftext|>" is put after each document.
"""

import sys

from amd_jax.cli import console


def main(argv: list[str]) -> None:
    """Runs the command; argv[0] is how it was started."""
    console.start("amd_jax.cli.to_tokens", argv)


if __name__ == "__main__":
    main(sys.argv)
