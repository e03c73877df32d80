"""The embedded cluster: a real Kubernetes on one machine, with simulated nodes (no root) or a real one (root, Linux).

Law: everything started here is recorded before it is used and removed by `lifecycle.stop`; nothing outside the
cache and state directories is written. Of this package it imports values (`errors`, `model`) and `tools.process`.
"""
