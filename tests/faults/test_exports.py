"""Exported weights that are damaged, foreign, or asked for wrongly; pages that cannot be made."""

import hashlib
import json
import pathlib
import shutil

import pytest

from tests.faults.sending import RUN, command

OUT = pathlib.Path("out")
SAMPLE = (f"--pretrained={OUT}/", "--mode=sample", "--num_samples=1", "--steps=1")


@pytest.fixture(scope="module")
def kept(made, tmp_path_factory):
    """An export of the trained run."""
    place = tmp_path_factory.mktemp("kept") / "out"
    done = command(f"--workdir={made}/runs/quickstart", "--mode=export", f"--output={place}")
    assert done.ending is None
    return place


@pytest.fixture
def out(kept, place):
    """A copy of it in the folder where the test works."""
    shutil.copytree(kept, OUT)
    return OUT


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {"a bit flipped": flipped, "cut in half": halved, "gone": pathlib.Path.unlink}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "checksums.json"])
def test_a_damaged_file(name, damage, out, said):
    DAMAGES[damage](out / name)
    seen = command(*SAMPLE).error
    said(f"export: {name} {damage}", f"{out}/" if name.startswith("check") else name, seen)
    assert seen.endswith(".")


def test_a_name_that_leads_out_is_not_looked_for(out, report):
    config = json.loads((OUT / "config.json").read_text())
    config["run"] = {"config": {}, "step": 1, "experiment": "../../mine"}
    content = json.dumps(config).encode()
    (OUT / "config.json").write_bytes(content)
    sums = json.loads((OUT / "checksums.json").read_text())
    sums["config.json"] = hashlib.sha256(content).hexdigest()
    (OUT / "checksums.json").write_text(json.dumps(sums))
    seen = command(*SAMPLE).ending
    report("export: an experiment called ../../mine", "samples; no file is opened", seen)
    assert seen is None
    assert "their data are not known" in command(SAMPLE[0], "--mode=evaluate").error


def test_what_is_no_export(trained, said):
    said("--pretrained of a run", "Make one of a run with --mode=export", unread(RUN))
    said("--pretrained of nothing", "holds no exported model", unread("no/where"))
    said("--pretrained of an unknown name", "Weights are called", unread("wiki_txt"))


def unread(name):
    return command(f"--pretrained={name}", "--mode=sample").error


def test_exports_that_cannot_be_made(trained, said):
    (RUN / "file").write_text("")
    seen = command(f"--workdir={RUN}", "--mode=export", f"--output={RUN}/file").error
    said("--mode=export into a file", "file", seen)
    shutil.rmtree(RUN / "checkpoints")
    seen = command(f"--workdir={RUN}", "--mode=export").error
    said("--mode=export without a checkpoint", "holds no checkpoint yet", seen)
