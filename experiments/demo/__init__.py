"""A page to play with: a text to correct, gaps to fill, noise that becomes text or maps.

    python -m experiments.demo --pretrained=wiki_text
    python -m experiments.demo --workdir=runs/quickstart

A server on this machine (starlette, uvicorn) and a page of our own, rather than Gradio: Gradio's
page asks other machines for fonts and scripts and reports its use, and has no player that goes
through a walk by keyboard. This one makes no request off the machine, and a test sees to that.
"""

from .command import main

__all__ = ["main"]
