"""Files of every format with flipped bits, or cut off: they are read, or refused in one line.

A process of its own reads them (`damaged_files`), so a signal is a row of the table, too.
"""

import collections
import json
import subprocess
import sys

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pytest.importorskip("tokenizers")
from amd_jax.data.reading import arrow  # noqa: E402
from tests.cli.command import ROOT  # noqa: E402
from tests.data.reading.damaged_files import FAULT, FORMATS  # noqa: E402

SEEDS = 200


def check(folder, seeds, *formats):
    """Fails if any damage of some formats is a fault, or is missing."""
    seen = subprocess.run(
        [sys.executable, "-m", "tests.data.reading.damaged_files", folder, "0", seeds, *formats],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    lines = map(json.loads, seen.stdout.splitlines())
    found = {(name, damage, seed): told for name, damage, seed, *told in lines}  # the last one
    assert {case: told for case, told in found.items() if told[0] == FAULT} == {}
    assert seen.returncode == 0, seen.stderr
    counts = collections.Counter(name for name, *_ in found)
    assert counts == dict.fromkeys(formats, 2 * int(seeds))
    assert {name for (name, *_), told in found.items() if told[0] == "refused"} == {*formats}


@pytest.mark.slow
def test_a_few_damages_of_every_format(tmp_path):
    check(tmp_path, "8", *FORMATS)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files(name, tmp_path):
    check(tmp_path, str(SEEDS), name)


@pytest.mark.parametrize("kind", ["new_file", "new_stream"])
def test_an_offset_beyond_its_texts(kind, tmp_path):
    """What a flipped bit made, and a segmentation fault once."""
    offsets = pa.py_buffer(np.array([0, 1, 1 << 30, 3], np.int32))
    texts = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(b"abc"))
    batch = pa.record_batch({"word": texts})
    with getattr(pa.ipc, kind)(str(tmp_path / "t.arrow"), batch.schema) as file:
        file.write_batch(batch)
    with pytest.raises(ValueError, match=r"t.arrow cannot be read \(.*offset.*\). Save it anew"):
        list(arrow.reader("table_files").opened(str(tmp_path / "t.arrow")).blocks(["word"]))
