import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bakery_service import waiting
from bakery_service.errors import BadEnvironment, NotYet, ServiceError
from bakery_service.settings import Login, Server

from tests.fakes import FakeClock


class Answers:
    """A probe that gives these reasons in turn, then answers."""

    def __init__(self, *reasons: str) -> None:
        self._reasons = list(reasons)

    def __call__(self) -> None:
        if self._reasons:
            raise NotYet(self._reasons.pop(0))


def keep_asking(probe: Callable[[], None], *, timeout: float = 60.0) -> tuple[list[str], float]:
    clock = FakeClock()
    said: list[str] = []
    began = clock.now()
    try:
        waiting.keep_asking("redis", probe, timeout=timeout, say=said.append, sleep=clock.sleep, clock=clock.now)
    finally:
        said.append(f"{clock.now() - began:g} s")
    return said, clock.now() - began


def test_an_answer_ends_the_wait_at_once() -> None:
    said, took = keep_asking(Answers())
    assert said[0] == "redis: answers after 0.0 s"
    assert took == 0


def test_each_new_reason_is_said_once() -> None:
    said, _ = keep_asking(Answers("refused", "refused", "refused", "loading", "refused"))
    assert said[:4] == [
        "redis: not yet, refused",
        "redis: not yet, loading",
        "redis: not yet, refused",
        "redis: answers after 2.5 s",
    ]


def test_the_bound_holds_and_the_last_reason_is_told() -> None:
    with pytest.raises(ServiceError, match=r"^Gave up waiting for redis after 10 s: refused$"):
        keep_asking(Answers(*["refused"] * 1000), timeout=10)


def test_a_long_wait_asks_less_often() -> None:
    _, took = keep_asking(Answers(*["refused"] * 60))
    assert took == 30 * 0.5 + 30 * 1.0


def test_only_a_dependency_that_is_not_there_yet_is_asked_again() -> None:
    def probe() -> None:
        raise BadEnvironment("DB_HOST is not set.")

    with pytest.raises(BadEnvironment):
        keep_asking(probe)


@pytest.mark.parametrize("words", [[], ["mysql"], ["http"], ["redis", "twice"]])
def test_an_unknown_dependency_is_refused_with_the_known_ones(words: list[str]) -> None:
    with pytest.raises(BadEnvironment, match="one of: redis, db, migration, rabbitmq, http URL"):
        waiting.wait_for(words, {}, print)


@pytest.mark.parametrize("url", ["auth-service:8000", "https://auth", "http://", "http://auth:x/"])
def test_a_url_it_cannot_ask_is_refused(url: str) -> None:
    with pytest.raises(BadEnvironment, match="wait-for http takes a URL"):
        waiting.split_url(url)


def test_a_url_is_split_into_what_is_asked() -> None:
    assert waiting.split_url("http://auth-service:8000/health/ready") == ("auth-service", 8000, "/health/ready")
    assert waiting.split_url("http://frontend") == ("frontend", 80, "/")


@contextmanager
def answering(answer: bytes, heard: list[bytes] | None = None) -> Iterator[int]:
    """A server for one connection, on a free port, that reads once, into `heard`, and sends `answer`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                question = connection.recv(4096)
                if heard is not None:
                    heard.append(question)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def test_an_http_answer_of_2xx_is_an_answer() -> None:
    heard: list[bytes] = []
    with answering(b"HTTP/1.1 204 No Content\r\n\r\n", heard) as port:
        waiting.ask_http("127.0.0.1", port, "/health/ready")
    assert [question.partition(b"\r\n")[0] for question in heard] == [b"GET /health/ready HTTP/1.0"]


def test_a_refusal_over_http_tells_status_and_body() -> None:
    body = b'HTTP/1.1 503 Service Unavailable\r\n\r\n{"failing":\n {"redis": "refused"}}'
    with answering(body) as port, pytest.raises(NotYet, match=r'^answers 503: \{"failing": \{"redis": "refused"\}\}$'):
        waiting.ask_http("127.0.0.1", port, "/")


def test_something_else_on_the_port_is_no_answer() -> None:
    with answering(b"SSH-2.0-OpenSSH\r\n") as port, pytest.raises(NotYet, match="does not speak HTTP"):
        waiting.ask_http("127.0.0.1", port, "/")


def test_a_closed_port_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    with pytest.raises(NotYet, match=r"^connection refused$"):
        waiting.ask_http("127.0.0.1", port, "/")


def test_plaintext_where_tls_is_due_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "username").write_text("auth")
    (tmp_path / "password").write_text("secret")
    bundle = next(path for path in map(Path, _certificate_files()) if path.exists())
    with answering(b"+PONG\r\n") as port, pytest.raises(NotYet, match="TLS failed") as caught:
        waiting.ask_redis(Server("127.0.0.1", port, Login(str(tmp_path)), str(bundle)))
    assert "secret" not in str(caught.value)


def _certificate_files() -> list[str]:
    import ssl

    paths = ssl.get_default_verify_paths()
    return [path for path in (paths.cafile, paths.openssl_cafile, "/etc/ssl/certs/ca-certificates.crt") if path]
