"""Skaffold's command line (v2): the commands as values, and the file it leaves about a build as a value."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from bakery_ops.errors import OperationFailed
from bakery_ops.tools.programs import safe_name

DEFAULT_PROFILE = "dev"
"""Our name for what skaffold.yaml does without a profile of its own."""


def environment(*, path: str, bin_directory: Path | None = None) -> dict[str, str]:
    """What Skaffold needs in its environment, to be merged over ours.

    Args:
        path: The PATH to extend.
        bin_directory: Holds the pinned kubectl; put first, so that Skaffold renders with the same kustomize as we do.
    """
    return {
        "SKAFFOLD_UPDATE_CHECK": "false",
        "SKAFFOLD_INTERACTIVE": "false",
        # The hooks of skaffold.yaml call our tasks; the command that runs Skaffold has done their work already.
        "BAKERY_DEPLOY": "1",
        "PATH": path if bin_directory is None else f"{bin_directory}{os.pathsep}{path}",
    }


def build_argv(skaffold: Path, profile: str, output: Path, *, tag: str | None = None) -> tuple[str, ...]:
    """Build the images of `profile` and describe them in the file `output` (read by `parse_build_output`).

    Args:
        tag: One tag for all of them; by default each gets a hash of its sources (the tagPolicy of skaffold.yaml).
    """
    named = () if tag is None else (f"--tag={tag}",)
    return (str(skaffold), "build", *_profile(profile), "--file-output", str(output), *named)


def run_argv(skaffold: Path, profile: str, *, context: str, kubeconfig: Path | None = None) -> tuple[str, ...]:
    """Build and apply everything at once and wait as Skaffold waits.

    Args:
        context: The kubeconfig context; always named, so that Skaffold never takes the current one.
    Raises: UsageError: the context could be read as an option.
    """
    return (str(skaffold), "run", *_profile(profile), *_cluster(context, kubeconfig))


def dev_argv(skaffold: Path, profile: str, *, context: str, kubeconfig: Path | None = None) -> tuple[str, ...]:
    """Build, deploy, watch the sources, forward ports; to be run with the terminal (`process.become`)."""
    return (str(skaffold), "dev", *_profile(profile), *_cluster(context, kubeconfig))


def _profile(profile: str) -> tuple[str, ...]:
    return () if profile == DEFAULT_PROFILE else ("--profile", safe_name(profile, "Skaffold profile"))


def _cluster(context: str, kubeconfig: Path | None) -> tuple[str, ...]:
    # `--name=value`: a context may hold almost any character, and must not become an option of its own.
    named = () if kubeconfig is None else (f"--kubeconfig={kubeconfig}",)
    return (f"--kube-context={context}", *named)


# {"builds":[{"imageName":"bakery/auth-service","tag":"bakery/auth-service:4f0d…@sha256:9a1c…"}]}
def parse_build_output(text: str) -> Mapping[str, str]:
    """Image name -> the whole reference that was built.

    Raises: OperationFailed: `text` is not what `skaffold build --file-output` writes, or names an image twice.
    """
    try:
        builds = [(build["imageName"], build["tag"]) for build in json.loads(text)["builds"]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise OperationFailed("Skaffold described its build in words we do not know", details=[text[:500]]) from error
    images = dict(builds)
    if len(images) != len(builds) or not all(isinstance(word, str) for build in builds for word in build):
        raise OperationFailed("Skaffold's description of its build names an image twice or not at all")
    return images
