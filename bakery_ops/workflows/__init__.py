"""The verbs: gather, decide, act, return a report. A workflow reaches the world only through `ports`."""
