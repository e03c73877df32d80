"""The shipped overlays at a real API server: all admitted, without one warning, under Pod Security "restricted"."""

import pytest

from bakery_ops.tools import process
from bakery_ops.tools.kustomize import _bundled
from tests.manifests.rendered import K8S, render


@pytest.fixture(scope="module")
def kubectl(simulated_cluster):
    program = _bundled() or process.find("kubectl")

    def run(*arguments, text="", check=True):
        argv = [program, "--kubeconfig", simulated_cluster.kubeconfig, *arguments]
        return process.run(argv, stdin=text.encode(), check=check, timeout=100)

    return run


def moved(rendered, namespace):
    """The overlay's text for another namespace: the platform's own may be in use by other tests of the session."""
    return rendered.text.replace("namespace: bakery-ia\n", f"namespace: {namespace}\n").replace(
        "\n  name: bakery-ia\n", f"\n  name: {namespace}\n", 1
    )


@pytest.mark.parametrize("overlay", ["dev", "sandbox", "prod"])
def test_every_object_of_an_overlay_is_admitted_without_a_warning(kubectl, overlay):
    namespace = f"admission-{overlay}"
    text = moved(render(K8S / "overlays" / overlay, overlay), namespace)
    # The Namespace is the first document: only in a namespace that exists does a dry run meet its Pod Security labels.
    kubectl("apply", "--server-side", "-f", "-", text=text.split("\n---\n")[0])
    answer = kubectl("apply", "--server-side", "--dry-run=server", "--warnings-as-errors", "-f", "-", text=text)
    assert len(answer.stdout.splitlines()) == len(text.split("\n---\n"))
    assert answer.stderr == ""


def test_pod_security_would_have_refused_a_root_container(kubectl):
    text = moved(render(K8S / "overlays" / "dev", "dev"), "admission-root")
    kubectl("apply", "--server-side", "-f", "-", text=text.split("\n---\n")[0])
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: root, namespace: admission-root}\n"
        "spec: {containers: [{name: root, image: busybox:1, securityContext: {runAsUser: 0}}]}\n"
    )
    refused = kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", text=pod, check=False)
    assert refused.status != 0
    assert 'violates PodSecurity "restricted:v1.34"' in refused.stderr
