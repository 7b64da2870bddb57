"""A page to play with: a text to correct, gaps to fill, noise that becomes text or maps.

    python -m experiments.demo --pretrained=wiki_text
    python -m experiments.demo --workdir=runs/quickstart

A server on this machine (starlette, uvicorn) and a page of our own, rather than Gradio: Gradio's
page asks other machines for fonts and scripts and reports its use, and has no player that goes
through a walk by keyboard. This one makes no request off the machine, and a test sees to that.
"""

import sys

from amd_jax.cli import command_line
from amd_jax.demo.command import main

if __name__ == "__main__":
    command_line.run(main, sys.argv)
