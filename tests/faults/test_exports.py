"""Exported weights that are damaged, foreign, or asked for wrongly; pages that cannot be made."""

import hashlib
import json
import pathlib
import shutil

import numpy as np
import pytest
import safetensors.numpy

from tests.faults.sending import RUN, command

OUT = pathlib.Path("out")
SAMPLE = (f"--pretrained={OUT}/", "--mode=sample", "--num_samples=1", "--steps=1")
CODE = {"part": "os.system", "fields": {}}


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


def altered(**changes):
    """The folder with another config, and checksums that fit it."""
    config = json.loads((OUT / "config.json").read_text()) | changes
    write("config.json", json.dumps(config).encode())


def write(name, content):
    """A file of the folder anew, with the checksum that fits it."""
    (OUT / name).write_bytes(content)
    sums = json.loads((OUT / "checksums.json").read_text())
    sums[name] = hashlib.sha256(content).hexdigest()
    (OUT / "checksums.json").write_text(json.dumps(sums))


@pytest.mark.few(slow=3)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": CODE}, "has none called os.system"),
        ({"model": {"name": "amd_jax.models.diffusion.dataclasses"}}, "has none called"),
        ({"model": {"items": {}}}, "it holds no model"),
        ({"model": {"array": "params/x"}}, "A description has"),
        ({"format": 2}, "it has the format 2"),
        ({"facts": {"kind": "../../x"}}, "Facts are of the kind"),
        ({"run": {}}, "its run must tell config and step"),
        ({"run": {"config": {}, "step": 1, "experiment": "../../mine"}}, None),
    ],
)
def test_a_config_of_somebody_else(changes, expected, out, said, report):
    altered(**changes)
    ended = command(*SAMPLE)
    fault = f"export: config.json with {json.dumps(changes)[:60]}"
    if expected is None:  # a name that leads out is not looked for
        report(fault, "samples; no file is opened", ended.ending)
        assert ended.ending is None
        assert "their data are not known" in command(SAMPLE[0], "--mode=evaluate").error
    else:
        said(fault, expected, ended.error)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04pickle.",
        b"\xff" * 4096,
        (1 << 60).to_bytes(8, "little") + b"{}",
        safetensors.numpy.save({"params/x": np.zeros((2, 3), np.float32)}),
    ],
    ids=["pickle", "no header", "a header of 2^60 bytes", "other arrays"],
)
def test_foreign_weights(content, out, said, request):
    write("model.safetensors", content)
    expected = "does not fit this version of amd_jax"
    said(f"export: weights that are {request.node.callspec.id}", expected, command(*SAMPLE).error)


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
