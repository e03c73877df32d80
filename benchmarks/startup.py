"""What the command line costs before it does anything: `invoke --list` against a bare Invoke project with one task."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import in_turns, row, show

ROOT = Path(__file__).resolve().parents[1]
BARE = "from invoke import task\n\n\n@task\ndef hello(context):\n    '''Say hello.'''\n    print('hello')\n"
STOCK = "import sys; from invoke.main import program; sys.exit(program.run())"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tasks.py").write_text(BARE)
        bare = f"import os; os.chdir({folder!r}); {STOCK}"
        runs = in_turns(
            {
                "python -c pass": [sys.executable, "-c", "pass"],
                "bare invoke --list, one task": [sys.executable, "-c", bare, "--list"],
                "our invoke --list": [ROOT / ".venv/bin/invoke", "--list"],
                "our invoke --version": [ROOT / ".venv/bin/invoke", "--version"],
                "./invoke --version (launcher)": [ROOT / "invoke", "--version"],
            },
            options.rounds,
            cwd=ROOT,
        )
    reference = runs["bare invoke --list, one task"]
    show(
        "start-up; ratio to bare invoke --list",
        [row(name, found, reference) for name, found in runs.items()],
        options.json,
    )


if __name__ == "__main__":
    main()
