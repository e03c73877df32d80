"""The web server around an application, the same for services and the gateway."""

from __future__ import annotations

import logging
import signal
import sys
from typing import Any

import uvicorn

from bakery_service.settings import Settings

_ASKED_BY_MACHINES = ('"GET /health/', '"GET /metrics')


def serve_http(app: Any, settings: Settings) -> None:
    """Serve `app` in this process until SIGTERM, finish the requests in progress, and return.

    Requests are counted for Prometheus where the settings ask for it, and logged one by one only at level DEBUG.
    Raises: SystemExit(1) when the port cannot be opened; the log says why.
    """
    if settings.metrics:
        from bakery_service.metrics import Measured  # not at start: where nobody scrapes, nobody pays

        app = Measured(app, settings.service)
    _configure_logging(settings.log_level)
    server = uvicorn.Server(_configuration(app, settings))
    # uvicorn installs its own handler a moment later, and newer versions call this one again when they are done.
    signal.signal(signal.SIGTERM, lambda *_: setattr(server, "should_exit", True))
    server.run()


def _configuration(app: Any, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104 - a container's own address is only known at run time
        port=settings.port,
        log_config=None,
        log_level=settings.log_level.lower(),
        access_log=settings.log_level == "DEBUG",
        loop="asyncio",
        ws="none",
        server_header=False,
    )


def _configure_logging(level: str) -> None:
    logging.basicConfig(stream=sys.stdout, level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # What these have to say is about themselves; pika's errors reach us as exceptions too.
    logging.getLogger("asyncio").setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("redis").setLevel(logging.WARNING)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn.access").addFilter(_asked_by_people)


def _asked_by_people(record: logging.LogRecord) -> bool:
    """Probes ask every second or so: they would bury everything else."""
    message = record.getMessage()
    return not any(path in message for path in _ASKED_BY_MACHINES)
