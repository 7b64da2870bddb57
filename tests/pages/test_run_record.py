"""What runs have written down, whole or damaged, is read and never executed."""

import json

import pytest

from amd_jax.pages import run_record
from amd_jax.runs import run_folder
from tests.pages import written


def test_a_run_is_read_without_executing_its_file(tmp_path):
    result = run_record.read(written.folder(tmp_path / "a"))
    assert (result.name, result.sentence) == ("quickstart", "A sentence of the experiment.")
    assert (result.step, result.total, result.unit, result.seconds) == (60, 60, "char", 30.0)
    assert len(result.metrics) == 12
    assert result.problems == []


def test_of_metrics_that_are_cut_off_the_whole_lines_are_used(tmp_path):
    path = written.folder(tmp_path) / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    result = run_record.read(tmp_path)
    assert len(result.metrics) == 11
    (line,) = result.problems
    assert line == f"1 line is left out of {path}: damaged, or cut off in the middle."
    path.write_bytes(path.read_bytes() + b"\n\xff\n[1]\n")
    (line,) = run_record.read(tmp_path).problems
    assert line.startswith("3 lines are left out")


@pytest.mark.parametrize("content", [None, b"", b"\x00" * 50, b'{"step": 1'])
def test_a_run_without_metrics_says_so(tmp_path, content):
    path = written.folder(tmp_path) / "metrics.jsonl"
    path.unlink() if content is None else path.write_bytes(content)
    result = run_record.read(tmp_path)
    assert result.metrics == []
    assert result.problems == [
        f"There is no learning curve: {path} is missing, or has no whole line."
    ]


def test_damaged_figures_are_named_and_left_out(tmp_path):
    path = written.folder(tmp_path) / "results.json"
    for content, reason in (
        (b"[", "Expecting value"),
        (b"\xff", "can't decode"),
        (b"{}", "it holds no list, but dict"),
        (b"[" * 100_000, "recursion"),
        (b"[1, {}]", "some of it are no figures"),
    ):
        path.write_bytes(content)
        (line,) = run_record.read(tmp_path).problems
        assert line.startswith(f"{path} is damaged: ")
        assert reason in line
        assert path.read_bytes() == content


def test_a_folder_without_a_run_and_a_damaged_config_are_refused(tmp_path):
    with pytest.raises(ValueError, match="There is no run in .*Train one first"):
        run_record.read(tmp_path)
    (written.folder(tmp_path) / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json must be as the run wrote it"):
        run_record.read(tmp_path)


def test_a_file_without_a_sentence_has_none_and_a_run_without_a_file_its_folder(tmp_path):
    for i, source in enumerate(("", "def", "x = 1", "\x00", "(" * 10_000)):
        place = written.folder(tmp_path / f"mine{i}", source=source, file="None")
        result = run_record.read(place)
        assert (result.sentence, result.name) == ("", f"mine{i}")


def test_seconds_may_be_anything(tmp_path):
    written.folder(tmp_path)
    lines = [{"step": 1, "elapsed_seconds": value} for value in (None, "9", 3.5)]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(x)}\n" for x in lines))
    assert run_record.read(tmp_path).seconds == 3.5


def test_a_time_in_words():
    words = {0.2: "0 s", 59.6: "1 min", 200: "3 min 20 s", 7500: "2 h 5 min", 277200: "3 d 5 h"}
    assert {seconds: run_record.duration(seconds) for seconds in words} == words


def test_numbers_of_a_config_by_their_dotted_names():
    assert dict(run_folder.named({"a": 1, "b": {"c": 2, "d": {"e": 3}}})) == {
        **{"a": 1, "b.c": 2, "b.d.e": 3}
    }
