"""Labels, explanations and limits of what the library's models declare, for the page.

An option or a number without an entry is shown by its name and the help that it declares.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """How a number is shown: label, explanation, and limits where it declares none."""

    label: str
    help: str
    least: float | None = None
    most: float | None = None
    step: float | None = None


OPTIONS: Mapping[str, str] = {
    "correct": "Every character becomes the likeliest one, given all the others.",
    "edit": "Part of the text is scrambled, and the model writes it anew: a variation.",
    "ancestral": "Removes noise step by step. The usual way.",
    "tau_leaping": "Draws how many changes each place makes in a step.",
    "euler": "Changes each place at the model's rate, in short steps.",
    "predictor_corrector": "Removes noise, and adds a little again to mend earlier mistakes.",
    "remasking": "Hides unlikely choices again, and makes them anew.",
    "first_hitting": "Fills in one place at a time, at random.",
    "confidence": "Fills in first what the model is surest of.",
    "dilated": "Fills in places that lie far apart together, then those between them.",
    "entropy_bound": "Fills in as many places at once as is safe.",
    "dndm": "Decides first when each place changes. Fast.",
    "ddim": "Removes noise with little or no chance on the way.",
    "inverse": "Draws random numbers, and turns them into data.",
    "left_to_right": "Writes from left to right.",
}

NUMBERS: Mapping[str, Words] = {
    "error_rate": Words(
        "Share of errors",
        "How many characters may be wrong. A larger share changes more.",
        0.01,
        0.99,
        0.01,
    ),
    "strength": Words(
        "Strength", "How much is scrambled. At 1 the text is forgotten.", 0.01, 1, 0.01
    ),
    "steps": Words("Steps", "More steps take longer, and mostly give better results."),
    "temperature": Words(
        "Temperature", "Below 1: likelier and more alike. Above 1: more varied.", 0.05, 10, 0.05
    ),
    "top_p": Words(
        "Likeliest share", "0.9 leaves out the unlikeliest tenth of the choices.", 0.01, 1, 0.01
    ),
    "spacing": Words("Spacing of the steps", "Cosine takes shorter steps while all is noise."),
    "greedy": Words("End with the likeliest", "The last step draws nothing."),
    "corrections": Words(
        "Corrections after a step", "Each draws one place anew, given the others.", 0, 1000
    ),
    "kind": Words("Noise added again", "Constant: the same share in every step."),
    "eta": Words("Share of noise", "0 adds none.", 0, 1, 0.01),
    "by": Words("Order", "What is filled in first."),
    "gamma": Words("Tolerance", "0 fills in one place at a time. More is faster.", 0, 100, 0.1),
    "redraws": Words("Repeats", "Draws a sample again that holds codes of no class.", 0, 1000),
}


def about_option(name: str, declared: str) -> str:
    """What an option does, in a sentence."""
    return OPTIONS.get(name, declared)


def about_number(name: str, declared: str) -> Words:
    """How a number is shown."""
    return NUMBERS.get(name, Words(name.replace("_", " ").capitalize(), declared))
