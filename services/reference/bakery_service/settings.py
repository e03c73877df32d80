"""What the environment says, as frozen values. Pure but for the existence of the mounted files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from bakery_service.errors import BadEnvironment

Environment = Mapping[str, str]

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class Login(NamedTuple):
    """A mounted credentials directory: `username` and `password` are files, read anew for every connection."""

    directory: str

    def read(self) -> tuple[str, str]:
        """User name and password. Raises BadEnvironment when a file is gone or unreadable."""
        return _file(self.directory, "username"), _file(self.directory, "password")


class Server(NamedTuple):
    """Where a dependency listens with TLS, who we are there, and the CA its certificate must come from."""

    host: str
    port: int
    login: Login
    ca_file: str


class Settings(NamedTuple):
    """How the long-running process behaves; connections are read apart, by the commands that need them."""

    service: str
    port: int
    debug: bool
    log_level: str
    metrics: bool


def read_settings(environment: Environment) -> Settings:
    """Raises BadEnvironment: naming the first variable that is missing or malformed."""
    level = environment.get("LOG_LEVEL", "INFO").upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise BadEnvironment(f"LOG_LEVEL is {level!r}, which is none of DEBUG, INFO, WARNING, ERROR and CRITICAL.")
    return Settings(
        service=service_name(environment),
        port=number(environment, "PORT", 8000),
        debug=switch(environment, "DEBUG", default=False),
        log_level=level,
        metrics=switch(environment, "PROMETHEUS_ENABLED", default=True),
    )


def service_name(environment: Environment) -> str:
    """Which service this process is: lower-case words joined by dashes, for it becomes part of host names and keys."""
    name = required(environment, "SERVICE_NAME")
    if not name.replace("-", "").isalnum() or name != name.lower():
        raise BadEnvironment(f"SERVICE_NAME is {name!r}; a service is named by lower-case letters, digits and dashes.")
    return name


def database(environment: Environment) -> tuple[Server, str]:
    """The PostgreSQL server and the name of our database on it."""
    return server(environment, "DB", 5432), required(environment, "DB_NAME")


def redis(environment: Environment) -> Server:
    return server(environment, "REDIS", 6379)


def rabbitmq(environment: Environment) -> Server | None:
    """None: no RABBITMQ_CREDENTIALS_DIR, so this service has no broker."""
    if not environment.get("RABBITMQ_CREDENTIALS_DIR"):
        return None
    return server(environment, "RABBITMQ", 5671)


def server(environment: Environment, prefix: str, port: int, *, login: bool = True) -> Server:
    """Read `<prefix>_HOST`, `<prefix>_PORT`, `<prefix>_CREDENTIALS_DIR` and CA_FILE; the files must be readable now."""
    ca_file = required(environment, "CA_FILE")
    if not os.access(ca_file, os.R_OK):
        raise BadEnvironment(f"CA_FILE is {ca_file}, which cannot be read.")
    credentials = Login(required(environment, f"{prefix}_CREDENTIALS_DIR") if login else "")
    if login:
        credentials.read()
    return Server(
        required(environment, f"{prefix}_HOST"), number(environment, f"{prefix}_PORT", port), credentials, ca_file
    )


def required(environment: Environment, name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise BadEnvironment(f"{name} is not set.")
    return value


def number(environment: Environment, name: str, default: int) -> int:
    """A whole number above zero."""
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise BadEnvironment(f"{name} is {text!r}, which is not a whole number above zero.")
    return int(text)


def switch(environment: Environment, name: str, *, default: bool) -> bool:
    text = environment.get(name, "").strip().lower()
    if not text:
        return default
    if text not in _TRUE | _FALSE:
        raise BadEnvironment(f"{name} is {text!r}, which is neither true nor false.")
    return text in _TRUE


def _file(directory: str, name: str) -> str:
    try:
        with open(os.path.join(directory, name), encoding="utf-8") as source:
            return source.read().strip("\r\n")
    except OSError as error:
        raise BadEnvironment(f"The credentials directory {directory} has no readable file {name!r}.") from error
