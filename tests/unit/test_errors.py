"""The exit codes are one list, told the same everywhere."""

import re
from pathlib import Path

from bakery_ops.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]


def test_the_documented_exit_codes_are_those_of_the_program():
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / "docs/exit-codes.md").read_text(), re.MULTILINE)
    assert rows == [(str(code.value), code.meaning) for code in ExitCode]
