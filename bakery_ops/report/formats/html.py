"""The whole report on one page that needs nothing but itself: no script, no font, no address outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bakery_ops.report.formats.svg import svg
from bakery_ops.report.formats.text import chain, milliseconds, total, xml
from bakery_ops.report.schema import Cause, Check, Deploy, Event, Log, Stage

_SLOWEST = 10
_LOG_LINES = 20
# Even if something of a cluster's text were taken for markup, nothing could run or be fetched.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root{color-scheme:light dark;--ink:#24292f;--mute:#656d76;--paper:#fff;--card:#f5f6f8;--line:#dfe3e8;--good:#1a7f37;
--bad:#b3261e;--warn:#9a6700}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--mute:#9198a1;--paper:#0d1117;--card:#161b22;--line:#2b323b;
--good:#3fb950;--bad:#ff7b72;--warn:#d29922}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,"DejaVu Sans",sans-serif;color:var(--ink);background:var(--paper);max-width:1160px;
margin:0 auto;padding:28px 20px 60px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 10px}h3{font-size:16px;margin:0 0 8px}
.outcome{border-left:6px solid var(--bad);padding:2px 0 2px 16px}.outcome.succeeded{border-color:var(--good)}
p{margin:4px 0}.mute,dt,th{color:var(--mute)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 18px;margin:18px 0}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:500}
td,th{border-bottom:1px solid var(--line);padding:5px 14px 5px 0;vertical-align:top;overflow-wrap:anywhere}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.cause{background:var(--card);border-left:6px solid var(--bad);padding:14px 18px;margin:14px 0}
pre{background:var(--paper);border:1px solid var(--line);padding:10px 12px;overflow-x:auto;font-size:13px;margin:6px 0}
ul{margin:6px 0;padding-left:20px}.passed{color:var(--good)}.failed{color:var(--bad);font-weight:600}
.warning{color:var(--warn)}.skipped{color:var(--mute)}figure{margin:0;overflow-x:auto;border:1px solid var(--line)}
figure svg{display:block;width:100%;height:auto;min-width:860px}.command{white-space:pre-wrap}
summary{cursor:pointer}
"""


def html(report: Deploy) -> str:
    title = f"{report.profile} to {report.context}: {report.outcome}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{xml(title)}</title><style>{_STYLE}</style></head><body>",
        f'<header class="outcome {"succeeded" if report.outcome == "succeeded" else "bad"}">'
        f"<h1>{xml(title)}</h1><p>{xml(report.headline)}</p></header>",
        *_causes(report),
        *_facts(report),
        *_timeline(report),
        *_path(report),
        *_stages(report),
        *_slowest(report),
        *_checks(report),
        *_list("Warnings", report.warnings),
        *_changes(report),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _causes(report: Deploy) -> Iterator[str]:
    if report.causes or report.refusal:
        yield "<h2>Why</h2>"
    if report.refusal:
        yield f'<section class="cause">{"".join(f"<p>{xml(line)}</p>" for line in report.refusal)}</section>'
    for cause in report.causes:
        yield from _cause(cause)


def _cause(cause: Cause) -> Iterator[str]:
    yield f'<section class="cause"><h3>{xml(cause.sentence)}</h3>'
    for found in cause.evidence[:1]:
        container = f" container {found.container}" if found.container else ""
        yield f"<p>{xml(f'{found.subject}{container}: {found.reason}: {found.message}')}</p>"
    if cause.events:
        yield f"<ul>{''.join(_event(event) for event in cause.events)}</ul>"
    for log in cause.logs:
        yield from _log(log)
    if cause.blocks:
        yield f"<details><summary>Holds up {len(cause.blocks)}</summary><p>{xml(', '.join(cause.blocks))}</p></details>"
    if cause.source:
        yield f'<p class="mute">Manifest: {xml(cause.source)}</p>'
    yield f'<p>Next:</p><pre class="command">{xml(cause.next)}</pre></section>'


def _event(event: Event) -> str:
    told = f"{max(event.at, 0.0):.0f} s  {event.subject}: {event.reason}: {event.message} ({event.times}x)"
    return f"<li>{xml(told)}</li>"


def _log(log: Log) -> Iterator[str]:
    which = " before its restart" if log.previous else ""
    yield f'<p class="mute">Log of {xml(log.pod)}, container {xml(log.container)}{which}:</p>'
    yield "<pre>" + "\n".join(xml(line) for line in log.lines[-_LOG_LINES:]) + "</pre>"


def _facts(report: Deploy) -> Iterator[str]:
    facts = [
        ("Run", report.run),
        ("Overlay", report.overlay),
        ("Began", report.started or "nothing was rolled out"),
        ("Whole command", f"{report.total_seconds:.1f} s"),
    ]
    if report.seconds is not None:
        facts += [
            ("Rollout", f"{report.seconds:.1f} s"),
            ("API requests", str(report.requests)),
            ("Watch lag, p95", milliseconds(report.watch_lag_p95)),
        ]
    yield f"<dl>{''.join(f'<dt>{name}</dt><dd>{xml(value)}</dd>' for name, value in facts)}</dl>"


def _timeline(report: Deploy) -> Iterator[str]:
    if any(node.sent_at is not None for node in report.nodes):
        yield f"<h2>Timeline</h2><figure>{svg(report)}</figure>"


def _path(report: Deploy) -> Iterator[str]:
    if report.path:
        rows = [(step.node, f"{step.seconds:.1f}", f"{step.saves:.1f}") for step in report.path]
        yield f"<h2>Longest path, {total(report.path):.1f} s</h2><p>{xml(chain(report.path, ' → '))}</p>"
        yield from _table(("step", "took s", "saves at most s"), rows, numbers=(1, 2))


def _stages(report: Deploy) -> Iterator[str]:
    if report.stages:
        yield "<h2>Stages</h2>"
        headings = ("stage", "objects", "applied", "began at s", "took s", "slowest")
        yield from _table(headings, (_stage(stage) for stage in report.stages), numbers=(1, 2, 3, 4))


def _stage(stage: Stage) -> Sequence[str]:
    times = (_number(stage.began_at), _number(stage.seconds))
    return (stage.title, str(stage.objects), str(stage.applied), *times, stage.slowest)


def _slowest(report: Deploy) -> Iterator[str]:
    timed = [(node.ready_after, node) for node in report.nodes if node.workload and node.ready_after is not None]
    timed.sort(key=lambda one: (-one[0], one[1].name))
    rows = [(node.name, node.kind, f"{seconds:.1f}", str(node.restarts or "")) for seconds, node in timed[:_SLOWEST]]
    if rows:
        yield f"<h2>Slowest {len(rows)}</h2>"
        yield from _table(("workload", "kind", "took s", "restarts"), rows, numbers=(2, 3))


def _checks(report: Deploy) -> Iterator[str]:
    if not report.checks:
        return
    yield "<h2>Acceptance</h2><table><tr><th>check</th><th>state</th><th>seen</th></tr>"
    yield from (_check(check) for check in report.checks)
    yield "</table>"


def _check(check: Check) -> str:
    seen = "<br>".join(xml(line) for line in (check.message, *check.evidence))
    state = xml(check.state)
    return f'<tr><td>{xml(check.name)}</td><td class="{state}">{state}</td><td>{seen}</td></tr>'


def _changes(report: Deploy) -> Iterator[str]:
    if report.changes:
        rows = [(change.node, change.action, change.reason) for change in report.changes]
        yield f"<h2>Changes</h2><details><summary>{len(rows)} objects</summary>"
        yield from _table(("object", "action", "reason"), rows)
        yield "</details>"


def _list(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"<h2>{title}</h2><ul>{''.join(f'<li>{xml(line)}</li>' for line in lines)}</ul>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> Iterator[str]:
    looks = [' class="number"' if position in numbers else "" for position in range(len(headings))]
    yield f"<table><tr>{''.join(f'<th{look}>{text}</th>' for look, text in zip(looks, headings, strict=True))}</tr>"
    for row in rows:
        yield f"<tr>{''.join(f'<td{look}>{xml(cell)}</td>' for look, cell in zip(looks, row, strict=True))}</tr>"
    yield "</table>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
