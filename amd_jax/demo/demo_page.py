"""The HTML of the demo: controls for what the model declares, and what the model is."""

from importlib import resources

import jax
import jinja2

from amd_jax.demo import controls, frames, request_parsing, table_form
from amd_jax.demo.session import Work
from amd_jax.facts import Facts, LineFacts, MapFacts, PlaneFacts, TableFacts, TextFacts
from amd_jax.models import declared
from amd_jax.pages import shows, texts

EXAMPLE = (  # what it should be: the words below are misspelt in a text to correct
    "the history of the town begins in the middle ages when a small church was built on the north "
    "side of the river and a market was held there every year"
)
MISSPELT = {
    **{"history": "histery", "begins": "begims", "when": "whem", "church": "chursh"},
    **{"built": "buift", "north": "norrh", "side": "sida", "market": "markrt", "every": "evary"},
}
HIDDEN = slice(1, None, 12)  # words of the example, where gaps are filled
SIDES = ("top", "left", "height", "width")  # of a rectangle in a map
HOLE = 3  # which part of the sides of a map is hidden at first, in the middle
BRUSH = 8  # which part of the smaller side of a map is painted over at first
CALLED = {" ": "space", "\n": "line end", "\t": "tab"}
SYMBOLS = 90  # of an alphabet in words, at most


def asset(name: str) -> str:
    """The text of a file that lies here."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def of(shown: Work) -> str:
    """The page of a model."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shown"] = texts.shown
    environment.filters["cut"] = texts.cut
    environment.filters["spaced"] = lambda name: texts.shown(name).replace("_", " ")
    facts, steps = shown.facts, getattr(shown.model, "steps", None)
    return environment.from_string(asset("page.html.j2")).render(
        work=shown,
        noun=noun(facts),
        sentence=sentence(shown),
        summary=summary(shown),
        example=" ".join(MISSPELT.get(word, word) for word in example(facts).split(" ")),
        gap=request_parsing.gap_of(facts),
        gaps=with_gaps(facts),
        hole=hole(facts),
        columns=table_form.fields(facts) if isinstance(facts, TableFacts) else [],
        brush=brush(facts),
        alphabet=symbols(facts),
        legend=shows.legend(facts),
        samplers=[controls.template_fields(option, steps) for option in shown.samplers],
        editors=[controls.template_fields(option, steps) for option in shown.editors],
        film=frames.empty_film(facts),
        longest=request_parsing.LONGEST,
        seeds=controls.SEEDS,
    )


def noun(facts: Facts) -> str:
    """What data are, in one word."""
    kinds = {TextFacts: "text", MapFacts: "maps", PlaneFacts: "points"}
    return next((word for kind, word in kinds.items() if isinstance(facts, kind)), facts.rows)


def sentence(shown: Work) -> str:
    """What the model is, and what can be done here."""
    facts = shown.facts
    size = " × ".join(map(str, facts.event_shape))
    units = "characters" if isinstance(facts, TextFacts) else f"{facts.unit}s"
    if isinstance(facts, MapFacts):
        size = " × ".join(map(str, facts.map_shape))
    if isinstance(facts, TableFacts):
        size, units = str(len(facts.columns)), "columns"
    if isinstance(facts, LineFacts):
        size = f"1 to {facts.longest}"
        units = "tokens" if facts.texts else units
    model = declared.kind(shown.model).capitalize()
    what = f"{model} over {facts.rows} of {size} {units}."
    did = " or ".join(editor.done for editor in shown.editors)
    ways = [f"have a text {did}"] if did else []
    if shown.fills:
        kinds = {TextFacts: "fill gaps in a text", TableFacts: "fill in the rest of a row"}
        filled = (way for kind, way in kinds.items() if isinstance(facts, kind))
        ways.append(next(filled, "fill a hole in a map"))
    ways.append(
        f"watch noise become {noun(facts)}" if shown.walks else f"draw {facts.rows} from it"
    )
    can = ", or ".join([", ".join(ways[:-1]), ways[-1]]) if ways[1:] else ways[0]
    return f"{what} {can[0].upper()}{can[1:]}."


def summary(shown: Work) -> str:
    """Where it is computed, and how large the model is."""
    device = jax.devices()[0]
    kind = device.device_kind
    where = kind.upper() if kind == device.platform else kind
    return f"The model has {shown.size:,} parameters and is computed on a {where}."


def example(facts: Facts) -> str:
    """A text to begin with, if the model could know it; else nothing."""
    if isinstance(facts, LineFacts):  # which may be shorter, or have a label
        return ""
    if not isinstance(facts, TextFacts) or not all(facts.known(EXAMPLE)):
        return ""
    return EXAMPLE


def with_gaps(facts: Facts) -> str:
    """The example with gaps, as much of it as the data are long; else nothing."""
    words = example(facts)[: facts.event_shape[0]].split(" ")
    words[HIDDEN] = [request_parsing.gap_of(facts) * len(word) for word in words[HIDDEN]]
    return " ".join(words)


def hole(facts: Facts) -> dict[str, tuple[int, int]]:
    """The numbers of the first hole in a map, a rectangle, each with the largest possible."""
    if not isinstance(facts, MapFacts):
        return {}
    size = [max(1, side // HOLE) for side in facts.map_shape]
    start = [(side - part) // 2 for side, part in zip(facts.map_shape, size, strict=True)]
    most = [*(side - 1 for side in facts.map_shape), *facts.map_shape]
    return dict(zip(SIDES, zip([*start, *size], most, strict=True), strict=True))


def brush(facts: Facts) -> tuple[int, int]:
    """How wide a brush for holes in maps is at first, and at most: pixels."""
    if not isinstance(facts, MapFacts):
        return 0, 0
    smaller = min(facts.map_shape)
    return max(1, smaller // BRUSH), smaller


def symbols(facts: Facts) -> str:
    """The symbols of an alphabet in words, such as "a–z and space"; empty where it has all."""
    if not isinstance(facts, TextFacts) or facts.symbols is None:
        return ""
    if isinstance(facts, LineFacts) and facts.texts:
        return f"{len(facts.symbols)} tokens"
    codes = sorted(ord(sign) for sign in facts.symbols if sign not in CALLED)
    result = []
    while codes:
        run = next((n for n in range(1, len(codes)) if codes[n] != codes[0] + n), len(codes))
        first, last = chr(codes[0]), chr(codes[run - 1])
        result += [f"{first}–{last}"] if run > 2 else list(map(chr, codes[:run]))
        codes = codes[run:]
    result += [word for sign, word in CALLED.items() if sign in facts.symbols]
    words = " ".join(result[:-1]) + f" and {result[-1]}" if result[1:] else result[0]
    return words if len(words) <= SYMBOLS else f"{len(facts.symbols)} characters"
