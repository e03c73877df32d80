"""Connections to PostgreSQL: TLS with a verified host name, few, reused, and replaced when the server went away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg2

from bakery_service.errors import NotYet, one_line
from bakery_service.settings import Server

Answer = TypeVar("Answer")
Connection = Any  # psycopg2 ships no types

UNDEFINED_TABLE = "42P01"


def connect(server: Server, database: str, *, purpose: str, timeout: int = 2, options: str = "") -> Connection:
    """Open one connection. `purpose` is what pg_stat_activity shows; `timeout` in seconds, libpq takes no less than 2.

    Raises: NotYet, with the server's or the resolver's reason in one line.
    """
    username, password = server.login.read()
    try:
        return psycopg2.connect(
            host=server.host,
            port=server.port,
            dbname=database,
            user=username,
            password=password,
            sslmode="verify-full",
            sslrootcert=server.ca_file,
            gssencmode="disable",
            connect_timeout=timeout,
            application_name=purpose,
            # A peer that vanished without a word (node gone, network policy) is noticed in seconds, not in two hours.
            tcp_user_timeout=5000,
            keepalives_idle=10,
            keepalives_interval=3,
            keepalives_count=3,
            options=options,
        )
    except psycopg2.OperationalError as error:
        raise NotYet(refusal(error)) from error


def refusal(error: BaseException) -> str:
    """libpq's reason without its preamble: `connection to server at "x" (10.0.0.1), port 5432 failed: REASON`."""
    line = one_line(error)
    if line.startswith("connection to server") and " failed: " in line:
        line = line.split(" failed: ", 1)[1]
    return line.removeprefix("FATAL:").strip()


class Connections:
    """At most `size` connections, last used first. A dead one costs its user one silent retry on a fresh one."""

    def __init__(self, open_one: Callable[[], Connection], size: int = 5) -> None:
        self._open = open_one
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(size)

    def run(self, work: Callable[[Connection], Answer]) -> Answer:
        """Call `work(connection)` in a transaction of its own, committed when it returns.

        `work` may run twice, so it must be idempotent: a reused connection can turn out dead only when it is used.
        Raises: NotYet when no connection can be had; whatever else `work` raises, after a rollback.
        """
        if not self._places.acquire(timeout=2):
            raise NotYet("all database connections are busy")
        try:
            connection = self._take()
            if connection is not None:
                try:
                    return self._use(connection, work)
                except (psycopg2.OperationalError, psycopg2.InterfaceError):
                    if not connection.closed:
                        raise
                    self.close()  # its siblings met the same restart
            return self._use(self._open(), work)
        finally:
            self._places.release()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _use(self, connection: Connection, work: Callable[[Connection], Answer]) -> Answer:
        try:
            answer = work(connection)
            connection.commit()
        except BaseException:
            # A connection that failed is not worth a rollback's round trip; closing it undoes the transaction too.
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        return answer
