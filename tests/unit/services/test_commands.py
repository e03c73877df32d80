import subprocess
import sys

import pytest

from tests.unit.services.conftest import SERVICES


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command, on this Python, which has none of the service's libraries."""
    return subprocess.run(
        [sys.executable, "-m", "bakery_service", *words],
        cwd=SERVICES / "reference",
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Unknown command ''"),
        (("sevre",), "Unknown command 'sevre'"),
        (("wait-for",), "wait-for takes one of"),
        (("wait-for", "redis"), "CA_FILE is not set."),
        (("wait-for", "http", "ftp://x"), "wait-for http takes a URL"),
        (("init", "demo"), "init takes exactly one name"),
    ],
)
def test_wrong_usage_ends_with_64_and_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    ended = run(*words)
    assert ended.returncode == 64
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert sentence in ended.stderr


def test_giving_up_ends_with_1_and_the_reason() -> None:
    ended = run("wait-for", "http", "http://127.0.0.1:1/", WAIT_TIMEOUT="1")
    assert ended.returncode == 1
    assert ended.stderr.startswith(
        "bakery-service: Gave up waiting for http://127.0.0.1:1/ after 1 s: connection refused"
    )


def test_waiting_needs_no_library_beyond_the_standard_one() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, bakery_service.waiting; print(*sys.modules)"],
        cwd=SERVICES / "reference",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {"psycopg2", "redis", "sqlalchemy", "fastapi", "http.client", "asyncio"}.isdisjoint(loaded)
