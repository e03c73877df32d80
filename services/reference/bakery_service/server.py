"""`bakery-service serve`: where the real connections, the checks and the web server are joined."""

from __future__ import annotations

import logging
import sys
from typing import Any

import uvicorn

from bakery_service import broker, settings
from bakery_service.application import Parts, build
from bakery_service.cache import Cache
from bakery_service.heads import image_head
from bakery_service.health import Check, Readiness
from bakery_service.postgres import Connection, Connections, connect
from bakery_service.settings import Environment

STATEMENT_SECONDS = 5


def serve(environment: Environment) -> None:
    """Answer HTTP until SIGTERM; requests in progress are finished first.

    Raises: BadEnvironment before the port is opened.
    """
    chosen = settings.read_settings(environment)
    database, name = settings.database(environment)
    cache = Cache(settings.redis(environment))
    rabbitmq = settings.rabbitmq(environment)

    def open_one() -> Connection:
        return connect(database, name, purpose=chosen.service, options=f"-c statement_timeout={STATEMENT_SECONDS}s")

    connections = Connections(open_one)
    checks: dict[str, Check] = {"database": lambda: connections.run(_answer), "redis": cache.check}
    if rabbitmq is not None:
        checks["rabbitmq"] = lambda: broker.check(rabbitmq)
    readiness = Readiness(checks)
    run(build(Parts(chosen, readiness, connections, image_head())), chosen)
    readiness.close()
    connections.close()
    cache.close()


def run(app: Any, chosen: settings.Settings) -> None:
    """Serve `app` in this process until SIGTERM. No access log: probes alone would write eighteen lines a second."""
    logging.basicConfig(
        stream=sys.stdout, level=chosen.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    config = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104 - a container's own address is only known at run time
        port=chosen.port,
        log_config=None,
        log_level=chosen.log_level.lower(),
        access_log=chosen.debug,
        loop="asyncio",
        ws="none",
        server_header=False,
    )
    server = uvicorn.Server(config)
    server.run()
    if not server.started:
        raise settings.BadEnvironment(f"Port {chosen.port} cannot be opened; the line above says why.")


def _answer(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
