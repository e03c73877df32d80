"""The command `bakery-service`: one image, one program, the work chosen by the first word.

    bakery-service serve                     answer HTTP on port 8000 (the image's default)
    bakery-service migrate                   bring the database to the image's migration head
    bakery-service seed NAME                 write the demo rows called NAME
    bakery-service init external-data        write the reference data of the external service
    bakery-service wait-for redis|db|migration|rabbitmq
    bakery-service wait-for http URL

Exit codes: 0 done; 1 failed, the last line says why; 64 wrong usage or environment; 143 ended by SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

from bakery_service.errors import BadEnvironment, ServiceError
from bakery_service.settings import Environment

Command = Callable[[Sequence[str], Environment], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code; prints one line on stderr when it is not 0."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # As process 1 of a container Python would ignore SIGTERM, and the pod would hang until it is killed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        command = _COMMANDS.get(words[0] if words else "")
        if command is None:
            raise BadEnvironment(f"Unknown command {' '.join(words)!r}; known: {', '.join(_COMMANDS)}.")
        command(words[1:], os.environ)
    except ServiceError as error:
        print(f"bakery-service: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def gateway_main() -> int:
    """The command `bakery-gateway`."""
    return main(["gateway", *sys.argv[1:]])


def say(line: str) -> None:
    print(line, flush=True)


def _serve(arguments: Sequence[str], environment: Environment) -> None:
    from bakery_service.server import serve

    _no_more(arguments)
    serve(environment)


def _gateway(arguments: Sequence[str], environment: Environment) -> None:
    from bakery_service.gateway.server import serve

    _no_more(arguments)
    serve(environment)


def _migrate(arguments: Sequence[str], environment: Environment) -> None:
    from bakery_service.heads import report_head
    from bakery_service.migrate import migrate

    _no_more(arguments)
    report_head(migrate(environment, say))


def _seed(arguments: Sequence[str], environment: Environment) -> None:
    if len(arguments) != 1:
        raise BadEnvironment("seed takes exactly one name.")
    from bakery_service.seeding import seed

    seed(arguments[0], environment, say)


def _init(arguments: Sequence[str], environment: Environment) -> None:
    if list(arguments) != ["external-data"]:
        raise BadEnvironment("init takes exactly one name: external-data.")
    from bakery_service.seeding import seed

    seed("external-data", environment, say)


def _wait_for(arguments: Sequence[str], environment: Environment) -> None:
    from bakery_service.waiting import wait_for

    wait_for(arguments, environment, say)


def _no_more(arguments: Sequence[str]) -> None:
    if arguments:
        raise BadEnvironment(f"Unexpected words after the command: {' '.join(arguments)}.")


_COMMANDS: dict[str, Command] = {
    "serve": _serve,
    "migrate": _migrate,
    "seed": _seed,
    "init": _init,
    "wait-for": _wait_for,
    "gateway": _gateway,
}

if __name__ == "__main__":
    sys.exit(main())
