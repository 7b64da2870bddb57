"""Runs the demo: `python -m experiments.demo --pretrained=wiki_text`."""

import sys

from .. import command_line
from .command import main

if __name__ == "__main__":
    command_line.run(main, sys.argv)
