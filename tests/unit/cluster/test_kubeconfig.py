"""kubectl's rules for kubeconfig files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bakery_ops.cluster.kubeconfig import Context, choose, locate
from bakery_ops.errors import UsageError


def document(name: str = "dev", current: str = "", **user: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443/", "certificate-authority": "ca.crt"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": f"{name}-space"}}],
        "users": [{"name": name, "user": user or {"token": f"{name}-token"}}],
    }


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_the_flag_counts_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a", document())
    assert locate(path, {"KUBECONFIG": "/elsewhere"}) == (path,)


def test_a_missing_file_of_the_flag_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=str(tmp_path / "none")):
        locate(tmp_path / "none", {})


def test_the_variable_is_a_list_and_missing_files_in_it_are_passed_over(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", document()), write(tmp_path / "b", document())
    listed = f"{first}::{tmp_path / 'none'}:{second}:{first}"
    assert locate(None, {"KUBECONFIG": listed}) == (first, second)


def test_without_either_the_home_directory_is_used(tmp_path: Path) -> None:
    path = write(tmp_path / ".kube" / "config", document())
    assert locate(None, {"HOME": str(tmp_path)}) == (path,)


def test_no_kubeconfig_at_all_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """B44"""
    with pytest.raises(UsageError, match="No kubeconfig was found") as caught:
        locate(None, {"HOME": str(tmp_path)})
    assert "sandbox" in caught.value.remedy
    with pytest.raises(UsageError, match="KUBECONFIG names"):
        locate(None, {"HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "none")})


def test_the_current_context_is_chosen(tmp_path: Path) -> None:
    chosen = choose((write(tmp_path / "a", document("dev", "dev")),), None)
    assert (chosen.name, chosen.server, chosen.namespace) == ("dev", "https://dev:6443", "dev-space")
    assert chosen.user == {"token": "dev-token"}


def test_the_first_file_to_say_something_wins(tmp_path: Path) -> None:
    """The kubernetes package would take the last file's current-context."""
    first = write(tmp_path / "a", document("dev", "dev"))
    second = write(tmp_path / "b", document("prod", "prod"))
    third = write(tmp_path / "c", document("dev", "", token="other"))
    assert choose((first, second, third), None).name == "dev"
    assert choose((first, second, third), "dev").user == {"token": "dev-token"}
    assert choose((second, first), "dev").server == "https://dev:6443"


def test_a_context_may_take_its_cluster_and_user_from_other_files(tmp_path: Path) -> None:
    whole = document("dev", "dev")
    parts = [{"kind": "Config", key: whole[key]} for key in ("contexts", "clusters", "users")]
    files = tuple(write(tmp_path / str(number) / "config", part) for number, part in enumerate(parts))
    chosen = choose(files, "dev")
    assert chosen.cluster["certificate-authority"] == str(tmp_path / "1" / "ca.crt")
    assert chosen.source == files[2]


def test_paths_are_relative_to_the_file_that_holds_them(tmp_path: Path) -> None:
    names = {"client-certificate": "pki/a.crt", "client-key": "/etc/a.key", "tokenFile": "token"}
    chosen = choose((write(tmp_path / "a", document("dev", "dev", **names)),), None)
    assert chosen.user["client-certificate"] == str(tmp_path / "pki/a.crt")
    assert chosen.user["client-key"] == "/etc/a.key"
    assert chosen.user["tokenFile"] == str(tmp_path / "token")


def test_an_unknown_context_is_answered_with_the_nearest(tmp_path: Path) -> None:
    """B47"""
    path = write(tmp_path / "a", document("kind-bakery", "kind-bakery"))
    with pytest.raises(UsageError, match="no context kind-bakry") as caught:
        choose((path,), "kind-bakry")
    assert caught.value.remedy == "Did you mean kind-bakery?"
    with pytest.raises(UsageError) as caught:
        choose((path,), "zzz")
    assert "kind-bakery" in caught.value.remedy


def test_no_current_context_lists_the_choices(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        choose((write(tmp_path / "a", document("dev")),), None)
    assert "dev" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "not valid YAML"),
        ("\tusers: x", "not valid YAML"),
        ("- a list", "not a kubeconfig"),
        ("kind: Pod", "not a kubeconfig"),
        ("kind: Config\nusers: {}\nclusters: 1", "clusters must be a list"),
        ("kind: Config\ncontexts: [x]", "contexts entry 1 needs a name"),
        ("kind: Config\nusers: [{name: x, user: text}]", "users entry 1 needs"),
    ],
)
def test_a_malformed_file_is_named_and_not_quoted(tmp_path: Path, text: str, says: str) -> None:
    """B44, I6"""
    path = write(tmp_path / "broken", text)
    with pytest.raises(UsageError, match=says) as caught:
        choose((path,), None)
    assert str(path) in str(caught.value)


def test_a_yaml_error_does_not_show_the_line_it_is_in(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "kind: Config\nusers: [{name: x, user: {token: canary-secret\n")
    with pytest.raises(UsageError) as caught:
        choose((path,), None)
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize("missing", ["clusters", "users"])
def test_a_context_that_names_something_undefined_is_an_error(tmp_path: Path, missing: str) -> None:
    path = write(tmp_path / "a", document("dev", "dev") | {missing: []})
    with pytest.raises(UsageError, match="not defined"):
        choose((path,), None)


def test_a_cluster_without_a_server_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a", document("dev", "dev") | {"clusters": [{"name": "dev", "cluster": {}}]})
    with pytest.raises(UsageError, match="no server address"):
        choose((path,), None)


def test_an_empty_file_in_the_list_is_passed_over(tmp_path: Path) -> None:
    files = (write(tmp_path / "empty", ""), write(tmp_path / "a", document("dev", "dev")))
    assert choose(files, None).name == "dev"


def test_a_context_never_shows_its_credentials() -> None:
    shown = repr(Context("dev", "default", {"server": "s"}, {"token": "canary"}, Path("x")))
    assert "canary" not in shown


def test_a_kubeconfig_nobody_may_look_at_is_named() -> None:
    """B44: as a folder that is closed to us, which it never is to root."""
    name = f"/{'x' * 300}/config"
    with pytest.raises(UsageError, match="cannot be read"):
        locate(Path(name), {})
    with pytest.raises(UsageError, match="cannot be read"):
        locate(None, {"KUBECONFIG": name})


def test_a_home_that_nobody_has_is_refused() -> None:
    with pytest.raises(UsageError, match="~nobody-here has no home folder"):
        locate(None, {"KUBECONFIG": "~nobody-here/config"})
