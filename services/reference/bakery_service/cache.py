"""Redis over TLS as this service's own ACL user. The client reconnects by itself; a restart costs one retry."""

from __future__ import annotations

from typing import Any

import redis
import redis.backoff
import redis.retry

from bakery_service.errors import NotYet, one_line
from bakery_service.settings import Server


def client(server: Server, *, timeout: float = 0.8, module: Any = redis) -> Any:
    """A client with a pool of connections, none opened yet. `timeout`: seconds for connecting and for each answer.

    `module`: `redis`, or `redis.asyncio`, which takes the same words.
    """
    username, password = server.login.read()
    return module.Redis(
        host=server.host,
        port=server.port,
        username=username,
        password=password,
        ssl=True,
        ssl_ca_certs=server.ca_file,
        ssl_cert_reqs="required",
        ssl_check_hostname=True,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        # A pooled connection to a server that restarted fails once, and the retry opens a new one. Not the client's own
        # choice: newer versions try ten times, while whoever asked about our health waits.
        retry=module.retry.Retry(redis.backoff.NoBackoff(), 1),
        health_check_interval=15,
    )


class Cache:
    """The readiness check of redis, on a client rebuilt when its password no longer fits (rotation)."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client: Any = None

    def check(self) -> None:
        """Raises NotYet: with redis's or the network's reason."""
        try:
            if self._client is None:
                self._client = client(self._server)
            self._client.ping()
        except redis.AuthenticationError as error:
            self._client = None
            raise NotYet(f"refuses our user: {one_line(error)}") from error
        except redis.RedisError as error:
            raise NotYet(one_line(error)) from error

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
