"""`bakery-service serve`: where the real connections, the checks and the web server are joined."""

from __future__ import annotations

from bakery_service import broker, settings
from bakery_service.application import Parts, build
from bakery_service.cache import Cache
from bakery_service.heads import image_head
from bakery_service.health import Check, Readiness
from bakery_service.postgres import Connection, Connections, connect
from bakery_service.settings import Environment
from bakery_service.web import serve_http

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
    serve_http(build(Parts(chosen, readiness, connections, image_head())), chosen)
    readiness.close()
    connections.close()
    cache.close()


def _answer(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
