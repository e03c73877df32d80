"""`invoke health.*`: the routine looks at a platform that runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing

from bakery_ops.bootstrap.opened import Opened, open_platform
from bakery_ops.errors import ExitCode
from bakery_ops.options import Target
from bakery_ops.report.terminal import Terminal
from bakery_ops.report.verification import show_checks, verification_document
from bakery_ops.rules.reports import VerifyReport
from bakery_ops.workflows import health


def health_daily(target: Target, output: str | None) -> ExitCode:
    return _look(
        target,
        output,
        lambda opened, namespace: health.daily(
            opened.connection.requests, opened.connection.clock, namespace, opened.verify
        ),
    )


def health_weekly(target: Target, output: str | None) -> ExitCode:
    return _look(
        target,
        output,
        lambda opened, namespace: health.weekly(opened.connection.requests, opened.connection.clock, namespace),
    )


def health_monthly(target: Target, output: str | None) -> ExitCode:
    return _look(
        target,
        output,
        lambda opened, namespace: health.monthly(
            opened.connection.requests, opened.connection.clock, namespace, opened.facts(), opened.verify
        ),
    )


def _look(target: Target, output: str | None, gather: Callable[[Opened, str], VerifyReport]) -> ExitCode:
    """Exit 3 when a check fails; a warning is worth a look and fails nothing."""
    terminal = Terminal()
    opened = open_platform(target, terminal, reads_only=True)
    with closing(opened.connection):
        report = gather(opened, opened.rendered.profile.namespace)
    if output == "json":
        print(json.dumps({**verification_document(report), "kind": "HealthReport"}, indent=1))  # noqa: T201
    else:
        show_checks(terminal, report)
    return ExitCode.OK if report.passed else ExitCode.FAILED
