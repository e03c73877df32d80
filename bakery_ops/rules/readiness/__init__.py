"""When an object is ready, and what the evidence is when it never will be (docs/readiness.md).

Law: a verdict is a function of one Observation and what the last look remembered. Nothing here fetches, waits, or asks
what time it is; one file per family of kinds, one table from kind to rule, one table of evidence.
"""
