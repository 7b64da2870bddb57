"""Addresses (gs://...) where a path of this machine is needed: one line, nothing is written."""

import shutil

import pytest

from amd_jax.cli import run
from amd_jax.comparison import compare, known_answers, run_comparison, table4
from amd_jax.demo import command as demo
from tests.cli.command import OWN
from tests.faults.sending import QUICK, RUN, SMALL, command, ended

HERE = "files are read and written on this machine, not at an address"
DATA = "Data are read from this machine; got the address"
FARAWAY = "Files are read from this machine, or from gs:// or s3://; got"
ADDRESSES = ["gs://b/c", "s3://b/c", "hdfs://b/c", "file:///tmp/x", "https://b/c", "GS://b"]
MODES = ["report", "export", "correct", "edit", "infill"]
MAINS = {
    **{"compare": (compare.main, ["own_text", "own_text_masked"]), "table4": (table4.main, [])},
    **{"known_answers": (known_answers.main, []), "report": (run_comparison.main, [])},
}
SENT = {  # arguments of a command -> what is said
    ("run", QUICK, *SMALL, "--output=gs://b/c"): HERE,
    ("run", QUICK, "--mode=edit", "--input=gs://b/c.txt"): HERE,
    **{("run", QUICK, "--mode=sample", f"--output={at}"): HERE for at in ADDRESSES},
    **{("run", QUICK, f"--mode={mode}", "--output=gs://b/c"): HERE for mode in MODES},
    ("run", QUICK, *SMALL, "--workdir=hdfs://b/c"): "Training writes to a folder of this machine",
    ("run", QUICK, "--mode=sample", "--workdir=hdfs://b/c"): FARAWAY,
    ("run", QUICK, *SMALL, "--init_from=hdfs://b/c"): FARAWAY,
    ("run", "--config=hdfs://b/c.py"): FARAWAY,
    ("run", "--pretrained=hdfs://b/c", "--mode=sample"): FARAWAY,
    **{("run", OWN, f"--config.data.path={at}"): DATA for at in ("gs://b/c.txt", "file:///x")},
    ("run", "--config=own_maps", "--config.data.path=s3://b/maps"): DATA,
    ("run", "--config=digits_idf", "--config.data.path=http://b/c.csv.gz"): DATA,
    **{(name, "--workdir=gs://b/c"): HERE for name in ("compare", "table4", "known_answers")},
    ("compare", "--config.data.path=gs://b/c.txt"): DATA,
    ("table4", "--rows=diffusion", "--config.data.path=gs://b/c"): DATA,
    ("report", "--output=s3://b/c.html"): HERE,
    ("report", "hdfs://b/c"): FARAWAY,
    ("demo", "--workdir=hdfs://b/c", "--port=0"): FARAWAY,
    ("demo", "--pretrained=hdfs://b/c", "--port=0"): FARAWAY,
}


@pytest.fixture(autouse=True)
def untouched(place):
    """Nothing is written where the test works, such as a folder `gs:`."""
    before = sorted(place.rglob("*"))
    yield
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("arguments", SENT, ids=lambda given: " ".join((given[0], given[-1])))
def test_an_address(arguments, said):
    name, *given = arguments
    main, first = (MAINS | {"run": (run.main, []), "demo": (demo.main, [])})[name]
    seen = ended(main, f"experiments.{name}", *first, *given).error
    said(f"{name} {given[-1]}", SENT[arguments], seen)


def test_tfds_at_an_address(said, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "gs://b/tfds")
    said("TFDS_DATA_DIR=gs://b/tfds", DATA, command("--config=text8_diffusion").error)


@pytest.mark.few(2)
@pytest.mark.parametrize("output", ["", ".", "/", "runs"])
def test_an_output_that_is_no_file(output, made, place, said):
    (place / "runs").mkdir()
    seen = ended(
        run_comparison.main, "experiments.report", str(made / RUN), f"--output={output}"
    ).error
    said(f"report --output={output}", "A page ", seen)
    (place / "runs").rmdir()


def test_a_folder_that_is_called_as_an_address_begins(made, place, report):
    """A path of this machine may hold colons."""
    out = place / "gs:" / "b"
    workdir = f"--workdir={made}/runs/quickstart"
    seen = command(workdir, "--mode=sample", "--steps=1", "--num_samples=1", "--output=gs:/b")
    report("--output=gs:/b", "the samples are in gs:/b", seen.out.splitlines()[-1])
    assert {path.name for path in out.iterdir()} == {"samples_seed0.npz", "samples_seed0.txt"}
    shutil.rmtree(place / "gs:")
