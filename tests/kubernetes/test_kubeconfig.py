"""One rule for which kubeconfig and which context are used."""

import os
from pathlib import Path
from typing import Literal

import pytest

from hikube_kafka.kubernetes import kubeconfig as module
from hikube_kafka.kubernetes.errors import KubeconfigError
from hikube_kafka.kubernetes.kubeconfig import contradictions, kubeconfig

EVERYTHING = {
    "KUBE_CONFIG_PATH": "/path",
    "KUBE_CONFIG_PATHS": f"/one{os.pathsep}/two",
    "KUBECONFIG": f"/three{os.pathsep}/four",
}


@pytest.mark.parametrize(
    ("declared", "unset", "paths", "source"),
    [
        ("/mine", (), ("/mine",), "declared"),
        (f"/mine{os.pathsep}/too", (), ("/mine", "/too"), "declared"),
        (None, (), ("/path",), "KUBE_CONFIG_PATH"),
        ("", (), ("/path",), "KUBE_CONFIG_PATH"),
        (None, ("KUBE_CONFIG_PATH",), ("/one", "/two"), "KUBE_CONFIG_PATHS"),
        (None, ("KUBE_CONFIG_PATH", "KUBE_CONFIG_PATHS"), ("/three", "/four"), "KUBECONFIG"),
        (None, tuple(EVERYTHING), ("~/.kube/config",), "default"),
    ],
)
def test_what_is_declared_comes_first_then_what_the_environment_says(
    declared: str | None, unset: tuple[str, ...], paths: tuple[str, ...], source: str
) -> None:
    environment = {name: value for name, value in EVERYTHING.items() if name not in unset}
    found = kubeconfig(declared, None, environment)
    assert (found.paths, found.source) == (paths, source)


@pytest.mark.parametrize("empty", ["", os.pathsep])
def test_an_empty_variable_is_not_set(empty: str) -> None:
    found = kubeconfig(None, None, dict.fromkeys(("KUBE_CONFIG_PATHS", "KUBECONFIG"), empty))
    assert found.paths == ("~/.kube/config",)


@pytest.mark.parametrize(
    ("declared", "environment", "context"),
    [
        ("mine", {"KUBE_CTX": "theirs"}, "mine"),
        (None, {"KUBE_CTX": "theirs"}, "theirs"),
        (None, {"KUBE_CTX": ""}, None),
    ],
)
def test_the_context_is_the_declared_one_or_terraform_s(
    declared: str | None, environment: dict[str, str], context: str | None
) -> None:
    assert kubeconfig("/mine", declared, environment).context == context


def test_the_home_of_a_user_who_is_not_known_has_no_file() -> None:
    found = kubeconfig("~nobody-here/config", None)
    with pytest.raises(KubeconfigError, match="~nobody-here/config: there is no such file"):
        _ = found.files
    assert found.current_context is None


def test_a_pod_without_a_kubeconfig_uses_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = kubeconfig(None, None, {"KUBE_CTX": "of another place"})
    assert (found.paths, found.context) == ((), None)
    assert kubeconfig(None, None, {"KUBECONFIG": "/mine"}).paths == ("/mine",)


def test_a_relative_path_that_leads_nowhere_says_from_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KubeconfigError, match=f"no such file in {tmp_path}; name it by its whole path"):
        _ = kubeconfig("here.yaml", None, {}).files
    Path("here.yaml").touch()
    assert kubeconfig("here.yaml", None, {}).files == ["here.yaml"]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, []),
        ({"KUBECONFIG": "/a"}, []),
        ({"KUBE_CONFIG_PATH": "/a", "KUBECONFIG": "/a"}, []),
        ({"KUBE_CONFIG_PATH": "/a", "KUBECONFIG": "/b"}, ["KUBE_CONFIG_PATH is /a"]),
        ({"KUBE_HOST": "https://elsewhere"}, ["KUBE_HOST is set"]),
    ],
)
def test_an_environment_that_leads_to_two_clusters_is_told(environment: dict[str, str], told: list[str]) -> None:
    said = list(contradictions(kubeconfig(None, None, environment), environment))
    assert len(said) == len(told)
    assert all(each in line for each, line in zip(told, said, strict=True))


KUBECTL: Literal["kubectl"] = "kubectl"


def test_a_command_names_its_context_whatever_the_current_one_is_by_then(tmp_path: Path) -> None:
    file = tmp_path / "a config"
    file.write_text("current-context: prod\n")
    found = kubeconfig(None, None, {"KUBECONFIG": str(file)})
    assert found.command(KUBECTL, "events") == "kubectl --context prod -n events"
    assert found.command("helm", "events") == "helm --kube-context prod -n events"
    assert kubeconfig(str(file), None, {}).command(KUBECTL, None) == f"kubectl --kubeconfig '{file}' --context prod"
    assert kubeconfig(str(file), "a b", {}).command(KUBECTL, "events").endswith("--context 'a b' -n events")


def test_a_command_finds_the_files_that_kubectl_alone_would_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two").write_text("current-context: second\n")
    (tmp_path / "broken").write_text("[: no YAML")
    assert kubeconfig("~/two", None, {}).command(KUBECTL, None).startswith(f"kubectl --kubeconfig {tmp_path}/two ")
    several = kubeconfig(None, None, {"KUBE_CONFIG_PATHS": f"broken{os.pathsep}none{os.pathsep}two"})
    files = os.pathsep.join(f"{tmp_path}/{each}" for each in ("broken", "none", "two"))
    assert several.command(KUBECTL, None) == f"KUBECONFIG={files} kubectl --context second"
    assert kubeconfig(None, None, {}).command(KUBECTL, "events") == "kubectl -n events"
