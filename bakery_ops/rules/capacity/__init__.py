"""Whether a platform fits its cluster nodes, by the rule the scheduler decides with: requests against allocatable.

`demand` says what one pod asks for, `machines` what a node offers, `packing` who would find a place, `phases` which
pods exist at the same time, `proof` puts them together into a report.
"""
