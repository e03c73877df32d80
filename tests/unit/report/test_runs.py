"""A run's folder keeps what happened, also when the run is killed, the disk is full, or many others run beside it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bakery_ops.errors import PreflightRefused, UsageError
from bakery_ops.report import events, history
from bakery_ops.report.runs import KEEP, REPORTS, RunFolder, folder_or_none, write_whole
from bakery_ops.rules.rollout.recording import replay
from bakery_ops.rules.rollout.result import result
from tests.reports import deployed, hostile
from tests.simulation import CRASH, Behaviour

ROOT = Path(__file__).resolve().parents[3]
ENDED = events.Finished(at=1.0, outcome="succeeded")


def test_events_are_there_before_the_run_ends(tmp_path):
    with RunFolder(tmp_path, "one") as folder:
        folder.event(ENDED)
        line = json.loads((folder.path / "events.ndjson").read_text())
    assert (line["type"], line["outcome"]) == ("finished", "succeeded")


def test_only_old_finished_runs_are_forgotten(tmp_path):
    with RunFolder(tmp_path, "0-still-running"):
        for number in range(KEEP + 5):
            with RunFolder(tmp_path, f"1-{number:03}") as finished:
                write_whole(finished.path / "summary.json", "{}")
        kept = sorted(path.name for path in tmp_path.iterdir())
    assert "0-still-running" in kept
    assert "1-000" not in kept
    assert f"1-{KEEP + 4:03}" in kept


def test_a_folder_that_cannot_be_made_is_a_refusal_before_any_change(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PreflightRefused):
        RunFolder(tmp_path / "file", "one")


def test_what_must_go_on_without_a_folder_says_so_and_has_none(tmp_path):
    """Who frees a full disk by a destroy must not be refused because the disk is full."""
    (tmp_path / "file").write_text("")
    said = []
    assert folder_or_none(tmp_path / "file", "one", said.append) is None
    assert [line.endswith("; going on without a report") for line in said] == [True]
    made = folder_or_none(tmp_path, "two", said.append)
    assert made is not None
    with made:
        assert made.path == tmp_path / "two"


def test_a_reader_sees_the_old_or_the_new_file_never_a_part(tmp_path):
    target = tmp_path / "summary.json"
    write_whole(target, "old")
    with pytest.raises(TypeError):
        write_whole(target, 5)  # type: ignore[arg-type]
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far/report.json")
    for text in ("old", "new"):
        write_whole(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "far" / "report.json").read_text() == text


def test_a_way_to_somebody_is_written_to_and_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "link").symlink_to("pipe")
    write_whole(tmp_path / "link", "told")
    assert os.read(reader, 100) == b"told"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]


def test_our_own_output_is_added_to(tmp_path):
    """`json=/dev/stdout`: as root, a rename would leave a plain file in /dev. The link here is its like."""
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")
    script = (
        "import sys; from pathlib import Path; from bakery_ops.report.runs import write_whole\n"
        "print('first', flush=True); write_whole(Path(sys.argv[1]), 'second'); print('third')"
    )
    with (tmp_path / "out").open("w") as out:
        subprocess.run([sys.executable, "-c", script, tmp_path / "stdout"], stdout=out, check=True, cwd=ROOT)
    assert (tmp_path / "stdout").is_symlink()
    assert (tmp_path / "out").read_text() == "first\nsecondthird\n"


def test_a_run_leaves_every_report(tmp_path):
    with RunFolder(tmp_path, "one") as folder:
        assert folder.keep(hostile()) == []
    left = {path.name for path in folder.path.iterdir()}
    assert left == {*REPORTS, "events.ndjson"}, "and no recording, since nothing was rolled out"


def test_a_folder_that_vanishes_under_a_run_is_said_and_ends_nothing(tmp_path):
    with RunFolder(tmp_path, "one") as folder:
        shutil.rmtree(folder.path)
        folder.event(ENDED)
        folder.record({"type": "begin"})
        problems = folder.keep(hostile())
    assert len(problems) == len(REPORTS)
    assert all("No such file" in problem for problem in problems)


FULL = """
import resource, sys
from pathlib import Path
from bakery_ops.report import events
from bakery_ops.report.runs import RunFolder
from tests.reports import hostile
with RunFolder(Path(sys.argv[1]), "one") as folder:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    for number in range(100):
        folder.event(events.Finished(at=float(number), outcome="succeeded"))
        folder.record({"type": "event", "text": "x" * 1000})
    print(len(folder.keep(hostile())))
"""


def test_a_disk_that_fills_up_during_a_run_does_not_end_it(tmp_path):
    """Faults F46. A limit on file size stands in for the full disk: the same writes fail at the same places."""
    ended = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{len(REPORTS)}\n", "")
    lines = (tmp_path / "one" / "events.ndjson").read_text().splitlines(keepends=True)
    assert [json.loads(line)["at"] for line in lines if line.endswith("\n")] == [
        float(n) for n in range(len(lines) - 1)
    ]


def kept(root: Path, name: str, fault: str = "") -> None:
    """A finished run of the shop."""
    told = deployed({"web": Behaviour(fault=fault)})
    with RunFolder(root, name) as folder:
        for fact in told.facts:
            folder.event(events.told(fact))
        for line in told.recording:
            folder.record(line)
        folder.keep(told.document)


def test_a_recording_plays_to_the_report_of_its_run(tmp_path):
    kept(tmp_path, "one", CRASH)
    told = history.summary(tmp_path / "one")
    ended = result(replay(history.recording(tmp_path / "one")))
    assert [cause.sentence for cause in ended.causes] == [cause.sentence for cause in told.causes]
    assert {name: node.verdict.value for name, node in ended.nodes.items()} == {
        node.name: node.verdict for node in told.nodes
    }


def test_a_large_recording_is_compressed_and_reads_the_same(tmp_path):
    lines = [{"type": "event", "number": number, "text": "x" * 1000} for number in range(400)]
    with RunFolder(tmp_path, "one") as folder:
        for line in lines:
            folder.record(line)
    assert [path.name for path in folder.path.glob("recording*")] == ["recording.ndjson.gz"]
    assert list(history.recording(folder.path)) == lines


def test_a_recording_cut_by_a_kill_is_read_up_to_the_cut(tmp_path):
    with RunFolder(tmp_path, "one") as folder:
        folder.record({"type": "begin"})
    with (folder.path / "recording.ndjson").open("a") as file:
        file.write('{"type": "ev')
    assert list(history.recording(folder.path)) == [{"type": "begin"}]


@pytest.mark.parametrize("damage", [b"{broken\n", b"[1]\n", b"\xff\xfe\n"])
def test_a_damaged_recording_is_said_with_its_line(tmp_path, damage):
    with RunFolder(tmp_path, "one") as folder:
        folder.record({"type": "begin"})
    with (folder.path / "recording.ndjson").open("ab") as file:
        file.write(damage)
    with pytest.raises(UsageError, match="line 2 of the run one is damaged"):
        list(history.recording(folder.path))


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-9],
        lambda packed: packed[:10] + b"\xff" + packed[11:],  # no such kind of block
        lambda packed: packed[:-8] + bytes(8),  # another checksum
        lambda packed: bytes(99),
    ],
)
def test_a_damaged_archive_is_said_to_be_damaged(tmp_path, damage):
    kept(tmp_path, "one")
    (tmp_path / "one" / "recording.ndjson").unlink(missing_ok=True)
    whole = gzip.compress(b"".join(b'{"n": %d}\n' % (number * 7919 % 1000) for number in range(1000)))
    (tmp_path / "one" / "recording.ndjson.gz").write_bytes(damage(whole))
    with pytest.raises(UsageError, match="is damaged"):
        list(history.recording(tmp_path / "one"))


def test_a_run_that_was_killed_while_its_recording_was_packed_still_has_it(tmp_path):
    with RunFolder(tmp_path, "one") as folder:
        folder.record({"type": "begin"})
    (tmp_path / "one" / "recording.ndjson.gz").write_bytes(b"\x1f\x8b")
    assert list(history.recording(tmp_path / "one")) == [{"type": "begin"}]


def test_the_last_run_is_found_and_an_unknown_one_gets_the_nearest_name(tmp_path):
    for name in ("20260101T000000-aaaa", "20260102T000000-bbbb"):
        with RunFolder(tmp_path, name):
            pass
    assert history.find(tmp_path, None).name == "20260102T000000-bbbb"
    with pytest.raises(UsageError) as refused:
        history.find(tmp_path, "20260102T000000")
    assert "did you mean 20260102T000000-bbbb?" in refused.value.remedy
    with pytest.raises(UsageError):
        history.find(tmp_path, "../../etc")


def test_no_run_at_all_says_how_to_make_one(tmp_path):
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="no run has left a report"):
            history.find(root, None)


def test_a_damaged_report_is_said_and_a_missing_one_is_none(tmp_path):
    with RunFolder(tmp_path, "one") as folder:
        pass
    assert history.summary(folder.path) is None
    (folder.path / "summary.json").write_text('{"kind": "Deplo')
    with pytest.raises(UsageError, match=r"summary\.json cannot be read"):
        history.summary(folder.path)
