"""What TensorBoard sees of a run."""

import numpy as np
import pytest
from PIL import Image

from amd_jax.runs.event_file import EventFile
from tests.runs.events import events, shown


def test_scalars_texts_and_pictures(tmp_path):
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    with EventFile(tmp_path) as file:
        file.scalars(3, {"loss": 0.5, "bits": float("nan")})
        file.scalars(4, {"loss": 0.0})
        file.show(4, "samples", "    a text")
        file.show(4, "maps", Image.fromarray(pixels))
    seen = shown(tmp_path)
    assert seen["loss"] == {3: 0.5, 4: 0.0}
    assert np.isnan(seen["bits"][3])
    assert seen["samples/text_summary"] == {4: b"    a text"}
    np.testing.assert_array_equal(np.asarray(seen["maps"][4]), pixels)


def test_a_file_with_a_suffix_replaces_its_own_kind(tmp_path):
    for suffix, value in ((".end6", 1.0), (".end6", 2.0), ("", 3.0), (".end16", 4.0)):
        with EventFile(tmp_path, suffix) as file:
            file.scalars(int(value), {"bits": value})
    assert shown(tmp_path)["bits"] == {2: 2.0, 3: 3.0, 4: 4.0}


def test_a_start_says_which_steps_are_taken_anew(tmp_path):
    with EventFile(tmp_path) as file:
        file.start(7)
    assert [event.step for event in events(tmp_path) if event.HasField("session_log")] == [7]


@pytest.mark.parametrize("named", ["folder", "nothing"])
def test_what_cannot_be_written_is_said_once(named, tmp_path, caplog):
    place = tmp_path / "run"
    if named == "folder":
        place.mkdir()
        (place / "tensorboard").write_text("a file")
    with EventFile(place) as file:
        for step in (1, 2):
            file.scalars(step, {"loss": 1.0})
            file.show(step, "samples", "a")
    (line,) = caplog.messages
    assert line.startswith("tensorboard/ cannot be written: ")
    assert "The run goes on" in line
