"""Pages as HTML: whole, escaped, and without an address to fetch from."""

import json
import re
from importlib import resources

import numpy as np
import pytest

from amd_jax.evaluation import means
from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.measurement import Measurement
from amd_jax.facts import TextFacts
from amd_jax.pages import comparison, run_record, shows, templates
from amd_jax.pages.texts import Piece
from amd_jax.runs import results
from tests.pages import written
from tests.pages.written import ODD, Seen

LOADS = {"src", "href", "data", "action", "poster", "srcset", "xlink:href"}


@pytest.fixture
def run(tmp_path):
    return written.folder(tmp_path / "run")


def assert_self_contained(page):
    """Nothing in it has an address but data: and places of the page itself."""
    for tag, attributes in Seen(page).elements:
        for name in LOADS & attributes.keys():
            assert attributes[name].startswith(("data:", "#")), (tag, attributes[name])
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", page)
    assert "@import" not in page


@pytest.mark.parametrize("facts", [written.TEXT, written.MAPS], ids=["text", "maps"])
def test_the_page_of_a_run_is_whole(tmp_path, facts):
    page = written.page(written.folder(tmp_path / "run", facts=facts), facts)
    seen = Seen(page)
    assert_self_contained(page)
    names = ["chain", "samples", "corrected", "filled", "curve", "figures", "commands"]
    names += ["config", "environment", "main", "film", *(a["href"][1:] for a in seen.all("a"))]
    assert all(seen.ids.count(name) == 1 for name in names)
    for told in (
        *("A sentence of the experiment.", "12,345 parameters", "2.345 ± 0.012", "abc1234"),
        *("python -m experiments.run --config=experiments/quickstart.py", "network.width"),
        *("--mode=sample", "counts of order 3, test: 2.10"),
        "Trained in 30 s, on 2 cores of an abacus, from 2026-11-27, with JAX 0.10.2.",
        *("this model, test: 2.35", f"bits per {facts.unit}: lower is better"),
    ):
        assert told in seen.text, told
    assert all(picture["alt"] for picture in seen.all("img"))
    film = re.search(r'<script type="application/json" id="film">(.*?)</script>', page)[1]
    assert len(json.loads(film)["frames"]) == 11


def test_what_the_model_does_stands_first(run):
    """Its corrections and gaps filled, then its bits, and only then samples and curve."""
    shares = {"restored": 0.84, "spoiled": 0.0043, "filled": 0.5}
    alike = {"split": "test", "step": 60}
    does = [{"what": what, "value": value, **alike} for what, value in shares.items()]
    (run / "results.json").write_text(json.dumps([*written.entries(), *does]))
    seen = Seen(written.page(run))
    places = [
        seen.text.index(tile)
        for tile in (
            *("of wrong chars restored, test", "of right chars spoiled, test"),
            *("of chars in gaps restored, test", "bits per char (elbo), test"),
        )
    ]
    assert places == sorted(places)
    sections = [a["id"] for _, a in seen.elements if a.get("class") == "card"]
    assert sections[:5] == ["corrected", "filled", "chain", "samples", "curve"]


def test_counts_with_fewer_bits_are_explained_and_others_are_not(run):
    assert "have fewer bits" not in Seen(written.page(run)).text
    (figure, count) = written.entries()
    beside = {"of": "elbo", "to": "count model of order 3", "examples": 4}
    above = {**count, "what": "bits_difference", "value": 0.2, "error": 0.01, **beside}
    del above["order"]
    (run / "results.json").write_text(json.dumps([figure, count, above]))
    text = Seen(written.page(run)).text
    assert "Count models of order 3 have fewer bits here: they memorise phrases" in text
    assert "The bits of the model are an upper bound (elbo)." in text


def keep_losses(run):
    """A run of whose metrics only the losses are left."""
    lines = [line for line in written.lines() if "loss_bits_per_char" in line]
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def set_notes(run, **changes):
    """Changes what a run knows of itself; None takes a note away."""
    notes = json.loads((run / "run.json").read_text()) | changes
    kept = {name: value for name, value in notes.items() if value is not None}
    (run / "run.json").write_text(json.dumps(kept))


def test_parts_without_their_numbers_are_left_out(run):
    """Levels beside a loss alone; what a flow has not; a curve and figures that are not there."""
    keep_losses(run)
    page = written.page(run, film=None, corrected=[], filled=[])
    seen = Seen(page)
    assert "Training loss" in seen.text
    assert not any(part in seen.text for part in ("Bits on held-out data", "test: 2.10"))
    assert not {"chain", "corrected", "filled"} & {*seen.ids}
    assert 'href="#chain"' not in page
    assert "data-film=" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    (run / "checkpoints" / "60").rename(run / "checkpoints" / "20")
    (run / "metrics.jsonl").unlink()
    (run / "results.json").write_text("{")
    set_notes(run, processor=None, started=None, versions=None)  # as a run of an earlier version
    seen = Seen(written.page(run))
    told = "There is no learning curve", "is damaged", "Nothing was measured yet"
    for part in (*told, "it is not finished: step 20 of 60"):
        assert part in seen.text
    assert "Trained" not in seen.text
    assert not [svg for svg in seen.all("svg") if "plot" in svg.get("class", "")]


def test_odd_texts_are_shown_and_never_markup(tmp_path):
    figures = [{"what": ODD, "value": 1.0, "split": ODD, "method": ODD, "command": [ODD, ODD]}]
    odd = ODD.encode(errors="replace").decode()
    run = written.folder(
        tmp_path / "run", file=f"{odd[:20]}.py", source=f'"""{odd}"""', **{odd: odd}
    )
    (run / "results.json").write_text(json.dumps(figures))
    letters = "".join(dict.fromkeys(ODD))
    facts = TextFacts(len(letters), (len(ODD),), ODD, alphabet=letters)
    x = facts.encode(ODD)
    page = written.page(
        run,
        samples=shows.samples(np.array([x]), facts),
        model=ODD,
        sampled=ODD,
        damaged=ODD,
        device=ODD,
        corrected=[shows.Corrected([Piece(ODD, "wrong")], [Piece(ODD, "")], [], ODD)],
        film={"kind": "text", "frames": [{"t": 0.0, "text": ODD}]},
        legend=[(ODD, "#000000")],
    )
    page.encode()
    seen = Seen(page)
    assert len(seen.all("script")) == 2  # the film's, and its frames
    assert "{{ 7919*7907 }}" in seen.text
    assert "62615533" not in seen.text
    assert seen.text.count("<script>alert(1)</script>") >= 10
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)


def test_only_the_style_and_the_script_are_taken_for_markup():
    folder = resources.files("amd_jax.pages")
    result = [file.read_text() for file in folder.iterdir() if file.name.endswith(".j2")]
    unescaped = re.findall(r"\{\{[^}]*\bsafe\b[^}]*\}\}", "".join(result))
    assert sorted(unescaped) == ["{{ script | safe }}", "{{ style | safe }}"]


def test_a_million_characters_are_cut_and_say_so(run):
    page = written.page(run, samples=shows.Shown(["a" * 1_000_000], []))
    assert "… and 980,000 characters more" in page
    assert len(page) < 200_000


def test_a_browser_may_fetch_nothing_and_execute_scripts_of_ours_alone(run):
    page = written.page(run)
    policy = next(a["content"] for a in Seen(page).all("meta") if "http-equiv" in a)
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[\w+/]{43}='$", policy)
    assert templates.asset("film.js") + templates.asset("copy.js") in page


def test_several_runs_stand_side_by_side(tmp_path):
    places = [
        written.folder(tmp_path / "a"),
        written.folder(tmp_path / "b", network={"width": 16, "dtype": "float32"}),
        written.folder(tmp_path / "c", facts=written.MAPS, source="x = 1"),
    ]
    (places[0] / "samples_seed0.txt").write_text("one⏎two\nthree\nfour\n", encoding="utf-8")
    (places[2] / "samples_seed7.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = [run_record.read(place) for place in places]
    page = comparison.page(result)
    seen = Seen(page)
    assert_self_contained(page)
    assert "a · b · c" in seen.text
    assert "one\ntwo" in seen.text
    assert "four" not in seen.text
    assert [image["alt"] for image in seen.all("img")] == ["Samples of c"]
    labels = "".join(svg.get("aria-label", "") for svg in seen.all("svg"))
    assert all(labels.count(f"bits per {unit}") == 2 for unit in ("char", "pixel"))  # widths
    assert "Training loss" not in seen.text
    assert comparison.differences(result).rows == [
        ("network.width", ["8", "16", "8"]),
        ("experiment file", ["this", "this", "another"]),
    ]
    bits = dict(comparison.measured(result).rows)
    assert bits["bits per char (elbo); test, 4 rows; 8 steps"] == [*["2.345 ± 0.012"] * 2, "–"]


def measured(place, shift, *, rows=20, digests=None, split="test"):
    """A run whose bits were measured of some rows, a little more in each than the rows' own."""
    written.folder(place)
    (place / "results.json").write_text("[]")
    hard = np.random.default_rng(0).uniform(1, 3, rows)
    own = 0.01 * np.random.default_rng(int(100 * shift)).standard_normal(rows)
    bits = PerRow(10 * (hard + own + shift), np.full(rows, 10))
    question = {"bound": "elbo", "split": split, "examples": rows, "unit": "char", "step": 60}
    results.add(
        place,
        Measurement.mean("bits", bits, **question),
        Measurement.mean("restored", bits, split=split),
        Measurement.mean("odd", bits),
    )
    if digests:
        set_notes(place, digests=digests)
    return run_record.read(place), bits


def test_runs_are_compared_row_by_row(tmp_path):
    """With an error of the difference, which is far below that of either."""
    result, bits = zip(*(measured(tmp_path / f"{s}", s) for s in (0.0, 0.2, 0.5)), strict=True)
    rows = dict(comparison.measured(result).rows)
    cells = rows["bits per char (elbo); test, 20 rows; minus 0.0, by pairs of rows"]
    above = [means.signed(*other.minus(bits[0]).mean()) for other in bits[1:]]
    assert cells == ["–", *above]
    assert above[0].startswith("+0.20")
    assert bits[1].minus(bits[0]).mean()[1] < bits[1].mean()[1] / 10
    overview = dict(comparison.overview(result).rows)
    assert overview["bits minus 0.0, by pairs of rows"] == cells
    assert sum("by pairs of rows" in name for name in rows) == 2  # bits and shares, nothing else
    assert f"<td>{cells[1]}</td>" in comparison.page(result)


@pytest.mark.parametrize(
    "other", [{"rows": 19}, {"digests": {"train": "11"}}, {"split": "validation"}]
)
def test_figures_of_other_rows_or_data_are_not_compared(tmp_path, other):
    result = [measured(tmp_path / "a", 0.0)[0], measured(tmp_path / "b", 0.2, **other)[0]]
    for table in (comparison.overview(result), comparison.measured(result)):
        assert not any("by pairs" in name for name, _ in table.rows)


def test_a_run_whose_rows_are_damaged_is_shown_without_its_differences(tmp_path):
    result = [measured(tmp_path / name, shift)[0] for name, shift in (("a", 0.0), ("b", 0.2))]
    (tmp_path / "b" / "per_row.npz").write_bytes(b"junk")
    page = comparison.page([result[0], run_record.read(tmp_path / "b")])
    assert f"{tmp_path / 'b' / 'per_row.npz'} is damaged: File is not a zip file." in page
    assert "by pairs" not in page


def test_runs_of_one_name_are_told_apart_and_the_latest_samples_of_the_first_seed_are_shown(
    tmp_path,
):
    places = [written.folder(tmp_path / folder / "run") for folder in "ab"]
    result = [run_record.read(place) for place in places]
    assert comparison.named(result) == [str(place) for place in places]
    for name in ("0", "0-2", "0-10", "1", "10-3", "0_mine", "x"):
        (places[0] / f"samples_seed{name}.txt").write_text(f"of {name}\n", encoding="utf-8")
    assert comparison.samples(result[0]).file == "samples_seed0-10.txt"


def test_count_models_are_drawn_where_data_are_the_same(tmp_path):
    places = [written.folder(tmp_path / name) for name in "ab"]
    told = "counts of order 3, test: 2.10"
    assert told in comparison.page([run_record.read(place) for place in places])
    set_notes(places[1], digests={"train": "11"})
    assert told not in comparison.page([run_record.read(place) for place in places])


def test_runs_with_bounds_and_runs_with_losses_are_plotted_apart(tmp_path):
    places = [written.folder(tmp_path / name) for name in "ab"]
    keep_losses(places[1])
    records = [run_record.read(place) for place in places]
    bounds, losses = comparison.panels(records, "ab")
    assert [line.name for line in bounds.lines] == ["a: validation (elbo)"]
    assert [line.name for line in losses.lines] == ["b: training loss"]
    assert (bounds.has_levels, losses.has_levels) == (True, False)
    page = comparison.page(records)
    assert page.index("Bits on held-out data") < page.index("Training loss")
    assert "lower is better" in page
    clips = [a["id"] for tag, a in Seen(page).elements if tag == "clippath"]
    assert len(clips) == len(set(clips)) == 4
