"""Folders as runs leave them, made by hand; and pages as a parser of HTML sees them."""

import base64
import html.parser
import io
import json

import numpy as np
from PIL import Image

from amd_jax.evaluation.measurement import Measurement
from amd_jax.facts import Column, LineFacts, MapFacts, TableFacts, TextFacts
from amd_jax.pages import films, line_shows, run_page, run_record, shows, table_shows
from amd_jax.pages.molecules import Molecule

ODD = (
    "<script>alert(1)</script> \x00\x1b[31m \u202eabc\u202c \ud800 שלום مرحبا"
    " \"'&amp; {{ 7919*7907 }}"
)
TEXT = TextFacts(27, (40,), "help", alphabet=" abcdefghijklmnopqrstuvwxyz")
MAPS = MapFacts(3, (4, 6), "land", palette=((0, 0, 0), (200, 30, 30), (0, 158, 115)))
TABLE = TableFacts.of(
    (
        Column("colour", "categorical", values=("red", "a, b|c", "=cmd")),
        Column("age", "integer", values=tuple(str(k) for k in range(20, 40)), missing="?"),
        Column("weight", "real", first=0, count=800, decimals=1, bases=(10, 10, 10)),
        Column("country", "categorical", values=("here",)),
    ),
    "people",
)
LINES = LineFacts.of("1CNO", (1 / 8,) * 8, validity="smiles")
SOURCE = '"""A sentence of the experiment.\n\nMore.\n"""\nraise SystemExit("executed")\n'
COMMAND = ["/home/me/experiments/run.py", "--config=experiments/quickstart.py"]


def lines(number=6, unit="char"):
    """Metrics as a training writes them."""
    result = []
    for step in range(10, 10 * number + 1, 10):
        bits = 2 + 20 / step
        result.append({"step": step, f"loss_bits_per_{unit}": bits, "elapsed_seconds": step / 2})
        name = f"validation_elbo_bits_per_{unit}"
        result.append({"step": step, name: bits + 0.2, f"{name}_error": 0.05})
    return result


def entries(unit="char"):
    shared = {"step": 60, "seed": 0, "split": "test", "unit": unit, "command": COMMAND}
    bits = {"bound": "elbo", "method": "8 steps", "exact": False, "examples": 4}
    count = {"what": "count_model", "order": 3, "value": 2.1, "error": 0.02}
    return [{"what": "bits", "value": 2.345, "error": 0.012} | bits | shared, count | shared]


def figures(unit="char"):
    return [Measurement.from_json(entry) for entry in entries(unit)]


def folder(place, *, facts=TEXT, file="quickstart.py", source=SOURCE, **config):
    """A run that is finished, with metrics and figures; no checkpoint has arrays."""
    (place / "checkpoints" / "60").mkdir(parents=True)
    notes = {
        **{"format": 1, "run": "0123456789abcdef", "file": file, "command": COMMAND},
        **{"commit": "abc1234", "python": "3.11.7", "versions": {"jax": "0.10.2"}},
        **{"started": "2026-11-27T20:15:00+01:00", "processor": "2 cores of an abacus"},
        "digests": {"train": "00"},
    }
    numbers = {"num_steps": 60, "network": {"width": 8, "dtype": "float32"}, **config}
    for name, value in (
        *(("run.json", notes), ("config.json", numbers), ("facts.json", facts.to_json())),
        ("results.json", entries(facts.unit)),
    ):
        (place / name).write_text(json.dumps(value))
    (place / "experiment.py").write_text(source)
    text = "".join(f"{json.dumps(line)}\n" for line in lines(unit=facts.unit))
    (place / "metrics.jsonl").write_text(text)
    return place


def rows(number, seed=0):
    """Rows of `TABLE` in which the weight follows from the others."""
    rng = np.random.default_rng(seed)
    colour, age = rng.choice(3, number, p=[0.5, 0.3, 0.2]), rng.integers(0, 21, number)
    weight = 20 * age + 50 * colour + rng.integers(0, 60, number)
    digits = [weight // 100, weight // 10 % 10, weight % 10]
    return np.stack([colour, age, *digits], axis=1).astype(np.int32)


def table():
    """What a page shows of `TABLE`."""
    real, some, log_p = rows(300, 0), rows(200, 1), np.log(np.full((5, 21), 1 / 21))
    hidden = np.array([False, True, True, False])
    return table_shows.TableShown(
        table_shows.rows(TABLE, real, some),
        table_shows.filled(TABLE, real[:1], hidden, some[:3], log_p),
        table_shows.panels(TABLE, real, some),
        table_shows.pairs(TABLE, real, some),
    )


def lines_shown():
    """What a page shows of `LINES`: properties, and a molecule, drawn as a stroke and an area."""
    real = np.stack([LINES.row(line) for line in ("C1CC1", "CO", "CCO", "C1CN1", "CCCCN")])
    molecules = [Molecule("CO <b>", "M 10,60 L 150,60", "M 20,20 L 40,20 L 40,40 Z")] * 12
    return line_shows.LinesShown(
        *line_shows.panels(LINES, real[1:], real, real[:2], "test"), molecules
    )


def drawn(facts=TEXT, seed=0):
    """What a model would have drawn: states at random."""
    if isinstance(facts, TableFacts):
        x = rows(1, seed)[0]
        fixed = [shows.correction(x, x, x, facts)]
        empty = shows.Shown([], [])
        return run_page.Drawn(
            *("Diffusion", 12345, 60, "cpu", empty, "200 samples were drawn.", None, fixed),
            *("Some of its fields were replaced.", [], (), table()),
        )
    rng = np.random.default_rng(seed)
    shape = (3, *facts.event_shape)
    frames = [(t, rng.integers(0, facts.num_classes, shape)) for t in np.linspace(1, 0, 11)]
    x = frames[-1][1]
    before, after = (np.where(rng.random(shape) < 0.1, 1, x) for _ in range(2))
    return run_page.Drawn(
        model="Diffusion",
        parameters=12345,
        step=60,
        device="cpu",
        samples=shows.samples(x, facts),
        sampled="3 samples were drawn.",
        film=films.of(frames, facts),
        corrected=[shows.correction(before[0], after[0], x[0], facts)],
        damaged="Some of its tokens were replaced.",
        legend=shows.legend(facts),
        filled=[shows.filling(x[0], x[0] == x[0].max(), after[0], facts)],
        lines=lines_shown() if isinstance(facts, LineFacts) else None,
    )


def page(place, facts=TEXT, **others):
    commands = [("Sample", "python -m experiments.run --mode=sample")]
    return run_page.page(run_record.read(place), drawn(facts)._replace(**others), commands)


def file(place, facts=TEXT, **others):
    """The file of a page, beside its run."""
    path = place / "page.html"
    text = page(folder(place / "run", facts=facts), facts, **others)
    path.write_text(text, encoding="utf-8")
    return path


def pixels(picture):
    """Those of a picture of a page, uint8 (H, W, C)."""
    content = base64.b64decode(picture.source.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)))


class Seen(html.parser.HTMLParser):
    """The elements of a page and their text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self._inside = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._inside.append(tag)

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & {*self._inside}:
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    @property
    def text(self):
        return "".join(self.texts)
