"""RabbitMQ over TLS: one connection per question, for a blocking one would need a thread to answer its heartbeats."""

from __future__ import annotations

import ssl

from bakery_service.errors import NotYet, one_line
from bakery_service.settings import Server


def check(server: Server, *, timeout: float = 1.5) -> None:
    """Log in, open a channel, leave. `timeout` in seconds, for each step.

    Raises: NotYet with the broker's or the network's reason.
    """
    import pika  # here: only the services that have a broker pay for it
    from pika.exceptions import AMQPError

    username, password = server.login.read()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    parameters = pika.ConnectionParameters(
        host=server.host,
        port=server.port,
        credentials=pika.PlainCredentials(username, password),
        ssl_options=pika.SSLOptions(context, server.host),
        connection_attempts=1,
        socket_timeout=timeout,
        stack_timeout=timeout,
        blocked_connection_timeout=timeout,
    )
    try:
        context.load_verify_locations(server.ca_file)
        connection = pika.BlockingConnection(parameters)
        try:
            connection.channel()
        finally:
            connection.close()
    except (AMQPError, OSError) as error:
        raise NotYet(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """pika wraps the cause once or more, and often says nothing itself."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    inner = getattr(error, "exception", None)
    return one_line(inner if isinstance(inner, BaseException) else error)
