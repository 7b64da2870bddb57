"""Parsers of flag values: numbers within bounds, and local paths."""

import math

from absl import flags

LARGEST = 2**31 - 1  # what a counter of steps or rows holds


class Integer(flags.IntegerParser):
    """An integer, also written as 1e3; at most `LARGEST` unless the flag has a bound."""

    def convert(self, argument: int | str) -> int:
        """The integer that a text means; ValueError for any other text."""
        number = integer(argument)
        if number is None:
            return super().convert(argument)
        most = self.upper_bound or LARGEST
        if abs(number) > most:
            raise ValueError(f"an integer is at most {most:,} here.")
        return number


class Float(flags.FloatParser):
    """A finite number."""

    def convert(self, argument: float | str) -> float:
        """The number that a text means; ValueError for infinity and NaN."""
        number = super().convert(argument)
        if not math.isfinite(number):
            raise ValueError("it must be a finite number.")
        return number


class LocalPath(flags.ArgumentParser):
    """A path of this machine, as text."""

    syntactic_help = "a path of this machine"

    def parse(self, argument: str) -> str:
        """The path; ValueError for an address such as gs://bucket/run."""
        if "://" in argument:
            raise ValueError(
                "files are read and written on this machine, not at an address. Give a path, and "
                "copy what lies there."
            )
        return argument


def integer(text: int | str) -> int | None:
    """The integer that a text such as 20, 2e4 or 20.0 means; None for any other text."""
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return int(number) if number == number // 1 else None
    return None
