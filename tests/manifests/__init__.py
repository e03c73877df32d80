"""The shipped manifests, rendered: what they promise, held to it. No cluster, nothing but kubectl's renderer and two linters."""
