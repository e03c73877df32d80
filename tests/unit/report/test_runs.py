"""A run's folder keeps what happened, also when the run is killed, the disk is full, or many others run beside it."""

import json

import pytest

from bakery_ops.errors import PreflightRefused
from bakery_ops.report.runs import KEEP, RunFolder, write_whole


def test_events_are_there_before_the_run_ends(tmp_path):
    folder = RunFolder(tmp_path, "one")
    folder.event({"type": "verdict", "node": "redis"})
    assert json.loads((folder.path / "events.ndjson").read_text()) == {"type": "verdict", "node": "redis"}
    folder.__exit__(None, None, None)


def test_only_old_finished_runs_are_forgotten(tmp_path):
    with RunFolder(tmp_path, "0-still-running"):
        for number in range(KEEP + 5):
            with RunFolder(tmp_path, f"1-{number:03}") as finished:
                finished.summary({"number": number})
        kept = sorted(path.name for path in tmp_path.iterdir())
    assert "0-still-running" in kept
    assert "1-000" not in kept
    assert f"1-{KEEP + 4:03}" in kept


def test_a_folder_that_cannot_be_made_is_a_refusal_before_any_change(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PreflightRefused):
        RunFolder(tmp_path / "file", "one")


def test_a_reader_sees_the_old_or_the_new_file_never_a_part(tmp_path):
    target = tmp_path / "summary.json"
    write_whole(target, "old")
    with pytest.raises(TypeError):
        write_whole(target, 5)  # type: ignore[arg-type]
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]
