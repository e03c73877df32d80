"""What the shipped manifests promise, held to it. No cluster: kubectl's renderer and two linters are all that runs."""
