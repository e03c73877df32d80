"""A Pod that nobody owns."""

from __future__ import annotations

from bakery_ops.model.live import Pod
from bakery_ops.model.words import one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness.crew import complete, judged_by_crew, muster, settled
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.pods import is_ready
from bakery_ops.rules.readiness.reading import Reading, ready


def bare_pod(look: Look, live: Pod) -> Reading:
    """Succeeded is Ready, Failed is Failed (kstatus calls both done); what runs to its end is not Ready before it."""
    crew = muster(look, [live], uid=live.metadata.uid)
    if live.status.phase == "Succeeded":
        reading = ready("succeeded")
    elif live.status.phase == "Failed":
        message = one_line(live.status.message) or _how_it_ended(live)
        reason = live.status.reason or "Failed"
        symptom = Symptom(rows.POD_FAILED, reason, message, subject_of(live), live.metadata.uid)
        reading = judged_by_crew(look, crew, "failed", [symptom])
    elif live.status.phase == "Running" and is_ready(live) and live.spec.restart_policy == "Always":
        reading = settled(look, crew, ready("running"))
    else:
        reading = judged_by_crew(look, crew, live.status.phase.lower() or "pending", one_is_enough=True)
    return complete(crew, reading)


def _how_it_ended(live: Pod) -> str:
    for status in (*live.status.init_container_statuses, *live.status.container_statuses):
        end = status.state.terminated
        if end is not None and end.exit_code:
            return f"container {status.name} ended with exit code {end.exit_code}"
    return "the pod failed"
