"""The Kubernetes API: connection, single requests, watch caches, lock and records. Decides nothing about the platform.

`connection.py` is the one door to the `kubernetes` package; everything else speaks HTTP through its `Transport`.
Every call carries a connect and a read timeout, and every wait ends (docs/faults.md).
"""
