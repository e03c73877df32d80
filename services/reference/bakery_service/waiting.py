"""`bakery-service wait-for X`: ask a dependency until it answers, say why it does not, and give up at a bound.

Eighteen pods run three of these each, so the probes speak just enough of each protocol over a plain socket.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Sequence

from bakery_service import settings
from bakery_service.errors import BadEnvironment, NotYet, ServiceError, one_line
from bakery_service.settings import Environment, Server

Probe = Callable[[], None]
Say = Callable[[str], None]

ATTEMPT_SECONDS = 3.0
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME = 1
_CONNECTION_START = b"\x00\x0a\x00\x0a"


def wait_for(arguments: Sequence[str], environment: Environment, say: Say) -> None:
    """Wait for `redis`, `db`, `migration`, `rabbitmq` or `http URL`, at most WAIT_TIMEOUT seconds (default 300).

    Raises: ServiceError at the bound, with the last reason; BadEnvironment at once when a setting is wrong.
    """
    title, probe = _probe(list(arguments), environment)
    timeout = settings.number(environment, "WAIT_TIMEOUT", 300)
    keep_asking(title, probe, timeout=timeout, say=say, sleep=time.sleep, clock=time.monotonic)


def keep_asking(
    title: str, probe: Probe, *, timeout: float, say: Say, sleep: Callable[[float], None], clock: Callable[[], float]
) -> None:
    """Call `probe` until it returns; NotYet asks again, every half second at first, every second later.

    Args:
        timeout: Seconds by `clock` until we give up.
        say: Gets a line for every new reason, and one for the end.
    Raises: ServiceError: `timeout` passed; the sentence holds the last reason.
    """
    started = clock()
    last = ""
    while True:
        try:
            probe()
        except NotYet as error:
            reason = str(error)
        else:
            say(f"{title}: answers after {clock() - started:.1f} s")
            return
        if reason != last:
            say(f"{title}: not yet, {reason}")
            last = reason
        pause = 0.5 if clock() - started < 15 else 1.0
        if clock() - started + pause > timeout:
            raise ServiceError(f"Gave up waiting for {title} after {timeout:g} s: {reason}")
        sleep(pause)


def _probe(arguments: list[str], environment: Environment) -> tuple[str, Probe]:
    match arguments:
        case ["redis"]:
            server = settings.redis(environment)
            return f"redis at {server.host}:{server.port}", lambda: ask_redis(server)
        case ["rabbitmq"]:
            broker = settings.server(environment, "RABBITMQ", 5671, login=False)
            return f"rabbitmq at {broker.host}:{broker.port}", lambda: ask_rabbitmq(broker)
        case ["db"]:
            database, name = settings.database(environment)
            return f"database {name} at {database.host}:{database.port}", lambda: ask_database(database, name)
        case ["migration"]:
            from bakery_service.heads import image_revisions

            database, name = settings.database(environment)
            revisions = image_revisions()
            title = f"migration {revisions[-1]} of database {name}"
            return title, lambda: ask_migration(database, name, revisions)
        case ["http", url]:
            host, port, path = split_url(url)
            return url, lambda: ask_http(host, port, path)
    raise BadEnvironment("wait-for takes one of: redis, db, migration, rabbitmq, http URL.")


def ask_database(server: Server, name: str) -> None:
    from bakery_service.postgres import connect

    connection = connect(server, name, purpose="wait-for-db")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def ask_migration(server: Server, name: str, revisions: Sequence[str]) -> None:
    """The database must be at the head of `revisions`, the image's own, oldest first."""
    from bakery_service.postgres import connect
    from bakery_service.versions import applied_revision

    connection = connect(server, name, purpose="wait-for-migration")
    try:
        applied = applied_revision(connection)
    finally:
        connection.close()
    if applied == revisions[-1]:
        return
    if not applied:
        raise NotYet("no migration has run on this database")
    if applied in revisions:
        raise NotYet(f"the database is still at revision {applied}")
    raise NotYet(f"the database is at revision {applied}, which this image does not know: the image is older")


def ask_redis(server: Server) -> None:
    username, password = server.login.read()
    with _tls(server) as connection:
        connection.sendall(_command("AUTH", username, password) + _command("PING"))
        lines = _read(connection, until=lambda received: received.count(b"\r\n") >= 2).split(b"\r\n")
    if lines[0].startswith(b"-"):
        raise NotYet(f"refuses user {username}: {_text(lines[0][1:])}")
    if len(lines) < 2 or lines[1] != b"+PONG":
        raise NotYet(f"answers {_text(lines[1] if len(lines) > 1 else b'nothing')!r} instead of PONG")


def ask_rabbitmq(server: Server) -> None:
    """TLS, then the protocol header: a broker that has loaded its definitions answers with Connection.Start."""
    with _tls(server) as connection:
        connection.sendall(AMQP_HEADER)
        frame = _read(connection, until=lambda received: len(received) >= 11)
    if len(frame) < 11 or frame[0] != _METHOD_FRAME or frame[7:11] != _CONNECTION_START:
        raise NotYet("does not speak AMQP 0-9-1")


def ask_http(host: str, port: int, path: str) -> None:
    request = f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode()
    with _tcp(host, port) as connection:
        connection.sendall(request)
        answer = _read(connection, until=lambda received: len(received) > 4096)
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b"\r\n")[0].split(b" ")
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        raise NotYet("does not speak HTTP")
    if not words[1].startswith(b"2"):
        raise NotYet(f"answers {_text(words[1])}: {_text(b' '.join(body.split()))}")


def split_url(url: str) -> tuple[str, int, str]:
    """`http://host[:port][/path]` in its parts. Raises BadEnvironment for anything else."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host, _, port = authority.partition(":")
    if scheme != "http" or not host or (port and not port.isdigit()):
        raise BadEnvironment(f"wait-for http takes a URL such as http://auth-service:8000/health/ready, not {url!r}.")
    return host, int(port or 80), slash + path or "/"


def _tcp(host: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout=ATTEMPT_SECONDS)
    except socket.gaierror as error:
        raise NotYet(f"the name {host} does not resolve ({one_line(error)})") from error
    except OSError as error:
        raise NotYet(_network_reason(error)) from error


def _tls(server: Server) -> ssl.SSLSocket:
    plain = _tcp(server.host, server.port)  # first: while nothing listens, the certificates need not be parsed
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(server.ca_file)
    except (ssl.SSLError, OSError) as error:
        plain.close()
        raise BadEnvironment(f"CA_FILE {server.ca_file} is not a readable certificate in PEM form.") from error
    try:
        return context.wrap_socket(plain, server_hostname=server.host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise NotYet(f"its certificate is refused: {error.verify_message}") from error
    except OSError as error:
        plain.close()
        raise NotYet(f"TLS failed: {_network_reason(error)}") from error


def _read(connection: socket.socket, *, until: Callable[[bytes], bool]) -> bytes:
    received = b""
    try:
        while not until(received) and (block := connection.recv(4096)):
            received += block
    except OSError as error:
        raise NotYet(_network_reason(error)) from error
    return received


def _network_reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {ATTEMPT_SECONDS:g} s"
    return (error.strerror or one_line(error)).lower()


def _command(*words: str) -> bytes:
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _text(received: bytes) -> str:
    return received[:200].decode("utf-8", "replace").strip()
