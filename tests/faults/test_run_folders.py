"""What lies in the folder of a run is gone, damaged, from elsewhere, or oddly named."""

import hashlib
import json
import os
import pathlib
import shutil

import jax
import numpy as np
import pytest

from amd_jax.experiment import Experiment, load_run
from amd_jax.runs import results
from tests.faults.sending import QUICK, RUN, SMALL, command
from tests.runs.damages import DAMAGES, damage
from tests.runs.runs import CLOCK, metrics
from tests.variants import quick

SAMPLE = (QUICK, "--mode=sample", "--steps=1", "--num_samples=1")
TRAIN = (QUICK, *SMALL)
SHORT = (*TRAIN, "--config.num_steps=2", "--steps=1", "--num_samples=1", "--num_texts=1")
HALF = object()
DEEP = b"[" * 100_000
TEXTS = {  # what a file holds instead
    **{"gone": None, "empty": b"", "cut in half": HALF, "no utf-8": b"\xff\xfe{}"},
    **{"nested": DEEP, "a list": b"[1, 2]", "null": b"null", "NaN": b"NaN"},
}


def put(file: pathlib.Path, text: bytes | object | None) -> None:
    """Puts something else into the place of a file."""
    whole = file.read_bytes()
    file.unlink()
    if text is not None:
        file.write_bytes(whole[: len(whole) // 2] if text is HALF else text)


FILES = ["config.json", "facts.json", "run.json", "experiment.py"]
CASES = [(name, text) for name in FILES for text in TEXTS]
CASES.remove(("experiment.py", "empty"))  # as of a run that was fitted without one


CONTINUED = [
    pytest.param("train", name, text, marks=[pytest.mark.slow] * (text != "gone"))
    for name in FILES[:3]
    for text in ("gone", "cut in half", "nested")
]


@pytest.mark.parametrize(
    ("mode", "name", "text"), [("sample", *case) for case in CASES] + CONTINUED
)
def test_a_file_of_the_run(mode, name, text, trained, report):
    put(trained / name, TEXTS[text])
    before = (trained / "metrics.jsonl").read_bytes()
    seen = command(*(SAMPLE if mode == "sample" else TRAIN)).error
    report(f"{name} {text}; {mode}", f"one line that names {name}; nothing lost", seen)
    assert f"{trained / name} " in seen
    assert mode == "train" or seen.endswith((".", "See experiments/quickstart.py."))
    assert (trained / "metrics.jsonl").read_bytes() == before


FIELDS = {  # file, field -> what it holds instead; what is said
    ("run.json", "format"): (99, "was written by a newer version of amd_jax (format 99"),
    ("run.json", "run"): (7, "its run must be of the kind str"),
    ("run.json", "digests"): ([], "its digests must be of the kind dict"),
    ("config.json", "num_steps"): ("many", "its num_steps must be of the kind int"),
    ("config.json", "batch_size"): ("2", "config.json must fit experiment.py"),
    ("config.json", "network"): (7, "config.json must fit experiment.py"),
    ("config.json", "unknown"): (1, "config.json must fit experiment.py"),
    ("facts.json", "kind"): ("sounds", "Facts are of the kind arrays, lines"),
    ("facts.json", "num_classes"): ("27", "facts.json must be as the run wrote it"),
    ("facts.json", "alphabet"): ("ab", "an alphabet of 2 symbols"),
    ("facts.json", "event_shape"): (5, "facts.json must be as the run wrote it"),
    ("facts.json", "frequencies"): (["a"] * 27, "facts.json must be as the run wrote it"),
    ("facts.json", "unknown"): (1, "facts.json must be as the run wrote it"),
}


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_field_of_a_file(name, field, trained, said):
    value, words = FIELDS[name, field]
    result = json.loads((trained / name).read_text())
    (trained / name).write_text(json.dumps(result | {field: value}))
    seen = command(*SAMPLE).error
    said(f"{name}: {field} is {value!r:.20}", words, seen)


# Checkpoints: 4 and 6 are there.


@pytest.fixture
def serves(trained, report, capsys):
    """serves(fault, words) fails unless the words are said, and samples are of checkpoint 4."""

    def check(fault, words="checkpoint 6 of"):
        ended = command(*SAMPLE)
        seen = capsys.readouterr().err
        report(fault, f"{words}; checkpoint 4 serves", seen)
        assert (ended.ending, words in seen) == (None, True)
        assert "samples" in ended.out

    return check


CHANGES = {  # of a record, which is sealed again -> what is said
    "with ../": (lambda note: note["files"].update({"../../x": "0" * 64}), "names a file outside"),
    "with /": (lambda note: note["files"].update({"/etc/hostname": "0"}), "names a file outside"),
    "with a file more": (lambda note: note["files"].update(more="0"), "more is missing"),
    "without versions": (lambda note: note.pop("versions"), "its versions must be of the kind"),
    "without bits": (lambda note: note.update(bits="low"), "its bits must be of the kind"),
    "without files": (lambda note: note.pop("files"), "its files must be of the kind dict"),
    "of nobody": (lambda note: note.pop("run"), "its run must be of the kind str"),
    "of another run": (lambda note: note.update(run="0"), "it belongs to another run"),
    "of a newer format": (lambda note: note.update(format=99), "by a newer version of amd_jax"),
}


def seal(file: pathlib.Path, text: str) -> None:
    file.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}\n")


def changed(file: pathlib.Path, change) -> None:
    """Changes what a record says, and seals it again."""
    note = json.loads(file.read_text().split("\n", 1)[1])
    change(note)
    seal(file, json.dumps(note))


@pytest.mark.few(2)
@pytest.mark.parametrize("fault", [*CHANGES, *TEXTS])
def test_a_record(fault, trained, serves):
    file = trained / "checkpoints" / "6" / "record.json"
    if fault in TEXTS:
        put(file, TEXTS[fault])
        if fault in ("nested", "a list", "null", "NaN"):
            seal(file, TEXTS[fault].decode())
        serves(f"record {fault}")
        return
    change, words = CHANGES[fault]
    changed(file, change)
    serves(f"record {fault}", words)


def test_arrays_of_another_model_under_a_sound_record(trained, said):
    """Reads no other arrays than those that were saved."""

    def change(note):
        note["arrays"]["ema"] = dict.fromkeys(note["arrays"]["ema"], "0" * 64)

    shutil.rmtree(trained / "checkpoints" / "4")
    changed(trained / "checkpoints" / "6" / "record.json", change)
    said("arrays of another model", "is not the one that was saved", command(*SAMPLE).error)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("how", DAMAGES)
def test_every_file_of_a_checkpoint(how, trained, serves):
    """Each in turn, through the command line; a row of the table per file."""
    folder = trained / "checkpoints" / "6"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert len(files) > 5
    for file in files:
        kept = file.read_bytes()
        damage(file, how)
        serves(f"checkpoint file {how}: {file.name:.30}")
        file.write_bytes(kept)
    assert load_run(RUN)[0].step == 6


NAMES = {  # of what lies beside the checkpoints
    **{"²": "folder", "016": "folder", "abc": "folder", "-1": "folder", "1e3": "folder"},
    **{"6.orbax-checkpoint-tmp": "folder", "99999999999999999999": "folder", "7": "file"},
    **{"notes.txt": "file", "8": "link to itself", "６": "folder"},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", quick([[*NAMES], *([name] for name in NAMES)], slow=[[*NAMES]]), ids=" ".join
)
def test_something_beside_the_checkpoints(names, trained, report, capsys):
    """All of it at once; exhaustively each by itself."""
    for name in names:
        path = trained / "checkpoints" / name
        put_there = {"folder": path.mkdir, "file": path.touch}
        put_there.get(NAMES[name], lambda path=path: path.symlink_to(path))()
    sampled = command(*SAMPLE)
    shutil.rmtree(trained / "checkpoints" / "6")
    continued = command(*TRAIN)
    seen = sampled.ending, continued.ending, capsys.readouterr().err
    for name in names:
        report(f"checkpoints/{name}, a {NAMES[name]}", "the run is read, and continues", seen)
    assert (sampled.ending, continued.ending) == (None, None)
    assert "step 6/6" in continued.out
    assert load_run(RUN)[0].step == 6


@pytest.mark.slow
def test_a_checkpoint_of_another_run(trained, said, capsys):
    """Of the same shapes, in the place of the newest."""
    assert command(*TRAIN, "--config.seed=1", "--workdir=runs/other").ending is None
    newest = trained / "checkpoints" / "6"
    shutil.rmtree(newest)
    shutil.copytree("runs/other/checkpoints/6", newest)
    assert command(*SAMPLE).ending is None
    words = "checkpoint 6 of runs/quickstart is not used: it belongs to another run"
    said("a checkpoint of another run; sample", words, capsys.readouterr().err)
    again = command(*TRAIN)
    assert "step 6/6" in again.out  # taken again
    words = "checkpoint 6 is not used: it belongs to another run"
    said("a checkpoint of another run; train", words, capsys.readouterr().err)


@pytest.mark.parametrize("mode", ["sample", "evaluate", "correct", "train"])
def test_no_checkpoints_folder(mode, trained, said):
    shutil.rmtree(trained / "checkpoints")
    before = (trained / "metrics.jsonl").read_bytes()
    arguments, words = [QUICK, f"--mode={mode}"], f"{RUN} holds no checkpoint yet"
    if mode == "train":
        arguments, words = TRAIN, "Restore it, or give another workdir to start anew"
    said(f"checkpoints/ gone; {mode}", words, command(*arguments).error)
    assert (trained / "metrics.jsonl").read_bytes() == before


LINES = {
    **{"0xff": b"\xff\n", "zeros": b"\0" * 99, "no end of line": b'{"step": 3'},
    **{"nested": DEEP + b"\n", "null": b"null\n", "NaN in a line": b'{"step": 99, "x": NaN}\n'},
    **{"a text": b'{"step": "7"}\n', "infinity": b'{"step": 1e999}\n'},
}


def without_clocks(run):
    return [{k: v for k, v in line.items() if k not in CLOCK} for line in metrics(run)]


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_a_line_of_metrics(line, trained, report):
    file = trained / "metrics.jsonl"
    expected = without_clocks(trained)
    file.write_bytes(file.read_bytes() + LINES[line])
    shutil.rmtree(trained / "checkpoints" / "6")
    ended = command(*TRAIN)
    report(f"metrics.jsonl: {line}", "the lines of an unbroken run", ended.ending)
    assert (ended.ending, without_clocks(trained)) == (None, expected)


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("text", ["gone", "cut in half", "nested", "a list"])
@pytest.mark.parametrize("name", ["results.json", "per_row.npz"])
def test_results(name, text, trained, report):
    put(trained / name, TEXTS[text])
    ended = command(QUICK, "--mode=evaluate", "--num_texts=2", "--draws=1")
    report(f"{name} {text}", "the new figure is in it, and its rows", ended.ending)
    assert ended.ending is None
    assert len(results.read(trained)[-1].rows.sums) == 2


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "name", ["lock", "metrics.jsonl", "results.json", "per_row.npz", "checkpoints"]
)
def test_a_folder_or_a_file_in_the_way(name, trained, report):
    path = trained / name
    if path.is_dir():
        path.rename(trained / "away")
        path.touch()
    else:
        path.unlink()
        path.mkdir()
    shutil.rmtree(trained / "checkpoints" / "6", ignore_errors=True)
    seen = command(*TRAIN).ending
    report(f"{name} is {'a file' if path.is_file() else 'a folder'}", "one line", seen)
    assert isinstance(seen, str)
    assert len(seen.splitlines()) == 1


# Where a run is.

ODD = "runs/with space/ünï 漢/a[b]*?/back\\slash/%41#x$HOME/a\nb/'q\"{x}/-dash"
PLACES = [
    ODD,
    *("runs/with space", "runs/ünï 漢", "runs/a[b]*?", "runs/back\\slash", "gs:", "~", "."),
    *("runs/%41#x$HOME", "runs/a\nb", "runs/'q\"{x}", "runs/" + "n" * 250, "a/b/-dash/"),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", quick(PLACES, slow=(ODD,)))
def test_the_name_of_a_workdir(name, place, report):
    """Trains, continues, is read from a relative path, and keeps its arrays."""
    ended = command(*SHORT, f"--workdir={name}")
    again = command(*SHORT, f"--workdir={name}", "--extend", "--config.num_steps=4")
    report(f"workdir {name!r:.40}", "trained, extended, read", (ended.ending, again.ending))
    assert (ended.ending, again.ending) == (None, None)
    run, params = load_run(name)
    assert run.step == 4
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))


REFUSED = {  # workdir, flags -> what is said
    ("file", TRAIN): "a folder that can be written",
    ("/proc/no", TRAIN): "a folder that can be written",
    ("gs://bucket/run", TRAIN): "Training writes to a folder of this machine",
    ("gs://bucket/run", SAMPLE): "gs://bucket/run cannot be reached",
    ("loop", TRAIN): "a folder that can be written",
    ("dangling", SAMPLE): "There is no run in dangling",
    ("n" * 300, TRAIN): "a folder that can be written",
    ("n" * 300, SAMPLE): "File name too long",
}


@pytest.mark.parametrize(("name", "flags"), REFUSED)
def test_a_workdir_that_cannot_be(name, flags, place, said):
    pathlib.Path("file").write_text("precious")
    os.symlink("loop", "loop")
    os.symlink("nowhere", "dangling")
    seen = command(*flags, f"--workdir={name}").error
    mode = "train" if flags is TRAIN else "sample"
    said(f"workdir {name:.20} ({mode})", REFUSED[name, flags], seen)
    assert pathlib.Path("file").read_text() == "precious"


CONFIGS = {  # an experiment, and its data -> what is said
    "gs://bucket/x.py": "gs://bucket/x.py cannot be reached",
    "experiments": "found a folder at experiments",
    "experiments/no.py": "found nothing at experiments/no.py",
    "/dev/zero": "found no .py at /dev/zero",
    "pipe.py": "found no .py at pipe.py",
    "loop.py": "found nothing at loop.py",
    "bytes.py": "bytes.py must be Python",
    "zeros.py": "zeros.py must be Python",
    "deep.py": "deep.py must be Python",
    "experiments/quickstart.py:large": "quickstart.py has no variants; got 'large'",
    "experiments/own_text.py": "own_text needs a file",
    "experiments/own_maps.py": "own_maps needs a folder or file",
    "experiments/own_text.py --config.data.path=~nobody-here/x": "be a file; found nothing at",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_that_cannot_be(name, place, said):
    os.mkfifo("pipe.py")
    os.symlink("loop.py", "loop.py")
    pathlib.Path("bytes.py").write_bytes(b"\xff\xfe")
    pathlib.Path("zeros.py").write_bytes(bytes(99))
    pathlib.Path("deep.py").write_text("x = " + "(" * 5000)
    said(f"--config={name}", CONFIGS[name], command(*f"--config={name}".split()).error)


@pytest.mark.slow
def test_a_run_whose_file_is_not_trusted(trained, report):
    """As docs/trust.md says: it is executed, unless the experiment is given."""
    file = trained / "experiment.py"
    file.write_text(f"import pathlib\npathlib.Path('executed').touch()\n{file.read_text()}")
    load_run(RUN, experiment=Experiment.open("experiments/quickstart.py"))
    seen = pathlib.Path("executed").exists()
    report("a run of somebody else, read with an own experiment", "not executed", seen)
    assert not seen
    load_run(RUN)
    assert pathlib.Path("executed").exists()
