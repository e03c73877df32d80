"""What a deploy tells: on stdout in the form asked for, in its folder, in files; and that none of it ends a deploy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bakery_ops.errors import ExitCode, PreflightRefused, UsageError
from bakery_ops.model.contract import Stage
from bakery_ops.report import schema
from bakery_ops.report.deploys import stopped
from bakery_ops.report.runs import RunFolder
from bakery_ops.report.telling import Ending, Teller, destinations, terminal_for
from tests.reports import RUN, Told, deployed
from tests.rollouts import node
from tests.simulation import CRASH, MISSING_SECRET, Behaviour

ROOT = Path(__file__).resolve().parents[3]
CANARY = "canary-9e41-secret"


@pytest.fixture(scope="module")
def broken() -> Told:
    return deployed({"web": Behaviour(fault=CRASH)})


def tell(told: Told, root: Path, output: str | None, wanted: tuple[str, ...] = (), step_summary: str = "") -> Path:
    """One deploy told to its end; returns its folder."""
    with RunFolder(root, "one") as folder:
        teller = Teller(terminal_for(output), folder, output, destinations(wanted))
        with teller.progress() as progress:
            for view in told.views:
                progress(view)
        for fact in told.facts:
            teller.fact(fact)
        for line in told.recording:
            teller.record(line)
        teller.end(told.document, Ending(ExitCode.FAILED, 5.0, step_summary), ["look: there"])
    return folder.path


def test_people_get_the_cause_first_and_three_lines_at_the_end(broken, tmp_path, capsys):
    tell(broken, tmp_path, "plain")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("web is down: CrashLoopBackOff: ")
    end = lines.index("  look: there")
    assert lines[end - 3] == "deploy failed after 42.0 s: 3 applied, 0 unchanged, 1 failed, 1 skipped"
    assert lines[end - 2].startswith("longest path ")
    assert lines[end - 1] == "0 API requests; p95 watch lag 12 ms"


def test_every_cause_ends_in_its_one_next_command(broken, tmp_path, capsys):
    tell(broken, tmp_path, "plain")
    commands = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  next: ")]
    assert commands == [f"  next: {cause.next}" for cause in broken.document.causes]


def test_ndjson_is_a_line_of_json_for_each_event_and_nothing_else_on_stdout(broken, tmp_path, capsys):
    folder = tell(broken, tmp_path, "ndjson")
    out = capsys.readouterr().out
    lines = [json.loads(line) for line in out.splitlines()]
    assert (lines[-1]["type"], lines[-1]["exitCode"], lines[-1]["outcome"]) == ("reported", 3, "failed")
    assert lines[-1]["causes"] == [cause.sentence for cause in broken.document.causes]
    assert out == (folder / "events.ndjson").read_text()


def test_json_on_stdout_is_the_summary_of_the_run(broken, tmp_path, capsys):
    folder = tell(broken, tmp_path, "json")
    out = capsys.readouterr().out
    assert schema.decode(out) == broken.document
    assert out == (folder / "summary.json").read_text()


def test_github_annotates_and_adds_to_the_step_summary(broken, tmp_path, capsys):
    summary = tmp_path / "step.md"
    summary.write_text("before\n")
    tell(broken, tmp_path, "github", step_summary=str(summary))
    assert capsys.readouterr().out.startswith("::error title=web is down::web is down: CrashLoopBackOff")
    assert summary.read_text().startswith("before\n# Deploy of dev to minikube: failed\n")


def test_report_files_are_written_in_their_formats(broken, tmp_path):
    wanted = tuple(f"{form}={tmp_path / form}" for form in ("json", "junit", "html", "svg", "markdown"))
    tell(broken, tmp_path, "plain", wanted)
    begins = {"json": "{", "junit": "<?xml", "html": "<!doctype html>", "svg": "<svg", "markdown": "# Deploy"}
    assert {form: (tmp_path / form).read_text().startswith(begin) for form, begin in begins.items()} == dict.fromkeys(
        begins, True
    )


def test_a_report_that_cannot_be_written_is_said_and_the_rest_goes_on(broken, tmp_path, capsys):
    folder = tmp_path / "gone"
    folder.mkdir()
    with RunFolder(tmp_path, "one") as run:
        teller = Teller(terminal_for("plain"), run, "plain", destinations([f"junit={folder / 'x.xml'}"]))
        folder.rmdir()
        teller.end(broken.document, Ending(ExitCode.FAILED, 5.0))
    told = capsys.readouterr()
    assert "x.xml was not written: No such file or directory" in told.err
    assert "deploy failed after" in told.out


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("xml=x", "is not FORMAT=PATH"),
        ("json", "is not FORMAT=PATH"),
        ("json=", "is not FORMAT=PATH"),
        ("json=/nowhere/at/all/x", "does not exist"),
        ("html=.", "is a folder"),
        ("json=~nobody-here/x", "~nobody-here has no home folder"),
    ],
)
def test_a_wrong_report_file_is_refused_before_anything_begins(item, message):
    with pytest.raises(UsageError, match=message):
        destinations([item])


def test_two_reports_do_not_share_a_file(tmp_path):
    with pytest.raises(UsageError, match="two reports"):
        destinations([f"json={tmp_path / 'x'}", f"html={tmp_path / 'x'}"])
    (tmp_path / "link").symlink_to("x")
    with pytest.raises(UsageError, match="two reports"):
        destinations([f"json={tmp_path / 'x'}", f"html={tmp_path / 'link'}"])


@pytest.mark.parametrize(
    ("output", "begin"), [("plain", ""), ("json", "{"), ("ndjson", '{"type":"reported"'), ("github", "::error::it")]
)
def test_a_refusal_is_told_to_programs_and_left_to_the_command_line_for_people(tmp_path, capsys, output, begin):
    refused = stopped(PreflightRefused("it does not fit"), RUN)
    with RunFolder(tmp_path, "one") as folder:
        Teller(terminal_for(output), folder, output).end(refused, Ending(ExitCode.PREFLIGHT, 5.0))
    out = capsys.readouterr().out
    assert out.startswith(begin)
    assert (out == "") is (output == "plain")
    assert (folder.path / "report.html").exists()


@pytest.mark.parametrize(
    ("stop", "outcome", "code"),
    [(PreflightRefused("it does not fit"), "refused", 4), (KeyboardInterrupt(), "interrupted", 130)],
)
def test_what_stops_a_deploy_early_leaves_every_report_and_goes_on_its_way(tmp_path, capsys, stop, outcome, code):
    with RunFolder(tmp_path, "one") as folder:
        wanted = destinations([f"junit={tmp_path / 'deploy.xml'}"])
        teller = Teller(terminal_for("ndjson"), folder, "ndjson", wanted)
        stopping = teller.stopping(lambda error: (stopped(error, RUN), Ending(error.exit_code, 5.0)))
        with pytest.raises(type(stop)), stopping:
            raise stop
    last = json.loads(capsys.readouterr().out)
    assert (last["type"], last["outcome"], last["exitCode"]) == ("reported", outcome, code)
    assert schema.decode((folder.path / "summary.json").read_text()).outcome == outcome
    assert (tmp_path / "deploy.xml").exists()


@pytest.mark.parametrize("output", ["plain", "json", "ndjson", "github"])
def test_no_secret_byte_reaches_stdout_or_any_file_of_a_run(tmp_path, capsys, output):
    """Faults B59: the Secret is rendered, applied and read back; its values are in nothing that is told."""
    secret = node("secret/app", "Secret", Stage.FOUNDATION)
    secret.manifest.body["stringData"] = {"password": CANARY}  # type: ignore[index] # the builder's body is a dictionary
    told = deployed({"web": Behaviour(fault=MISSING_SECRET)}, more=(secret,))
    folder = tell(told, tmp_path, output, tuple(f"{form}={tmp_path / form}" for form in ("junit", "markdown")))
    written = {path.name: path.read_text() for path in (*folder.iterdir(), tmp_path / "junit", tmp_path / "markdown")}
    streams = capsys.readouterr()
    assert "secret/app" in written["recording.ndjson"]
    for name, text in {**written, "stdout": streams.out, "stderr": streams.err}.items():
        assert CANARY not in text, name


def test_a_giant_message_is_cut_on_the_terminal_and_whole_in_the_report(tmp_path, capsys):
    """Faults B58."""
    giant = "x" * 1_000_000
    with RunFolder(tmp_path, "one") as folder:
        Teller(terminal_for("plain"), folder, "plain").end(with_cause(giant), Ending(ExitCode.FAILED, 5.0))
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) < 5000
    assert "… and 995904 more characters" in told
    assert giant in (folder.path / "summary.json").read_text()


def with_cause(sentence: str) -> schema.Deploy:
    return schema.Deploy(
        run="r",
        profile="p",
        overlay="o",
        context="c",
        outcome="failed",
        headline="h",
        total_seconds=1.0,
        causes=(schema.Cause(sentence=sentence, node="n", state="is down", reason="", message=""),),
    )


PRINTS = """
import sys
from bakery_ops.report.terminal import Terminal
terminal = Terminal(outlives_reader=sys.argv[1] == "deploy")
sys.stdin.readline()  # until the reader is gone
try:
    for number in range(5000):
        terminal.show("a line of the report"); terminal.say("a line of progress"); terminal.write("{}")
    open(sys.argv[2], "w").write("went on to the end")
except BrokenPipeError:
    open(sys.argv[2], "w").write("stopped")
"""


@pytest.mark.parametrize(("command", "ends"), [("deploy", "went on to the end"), ("status", "stopped")])
def test_a_deploy_outlives_the_reader_of_its_output_and_a_look_does_not(tmp_path, command, ends):
    """Faults F47."""
    argv = [sys.executable, "-c", PRINTS, command, tmp_path / "end"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(argv, cwd=ROOT, **pipes) as process:
        process.stdout.close()
        process.stdin.write(b"go\n")
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    assert (tmp_path / "end").read_text() == ends


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize(("command", "ends"), [("deploy", "went on to the end"), ("status", "stopped")])
def test_a_deploy_outlives_a_full_disk_and_says_so(tmp_path, command, ends):
    """Faults F47."""
    with Path("/dev/full").open("w") as full:
        argv = [sys.executable, "-c", PRINTS, command, tmp_path / "end"]
        ended = subprocess.run(argv, cwd=ROOT, input="go\n", stdout=full, stderr=subprocess.PIPE, text=True, check=True)
    assert (tmp_path / "end").read_text() == ends
    assert ("nothing more is written here: No space left on device" in ended.stderr) == (command == "deploy")


def test_a_locale_without_our_characters_gets_their_codes():
    """Faults B60."""
    code = "from bakery_ops.report.terminal import Terminal; Terminal().show('… ± →')"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "\\u2026 \\xb1 \\u2192\n"
