"""What a plan is told of the cluster that it is about."""

import os
from pathlib import Path
from typing import Any

import pytest

from hikube_kafka.kubernetes import client
from hikube_kafka.plugin.diagnostics import Refusal, collected_warnings
from hikube_kafka.provider.resources.kubernetes_cluster import KubernetesClusterDataSource

UNDECLARED = {"kubeconfig": None, "context": None}


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing of the machine that runs the tests."""
    for name in ("KUBE_CONFIG_PATH", "KUBE_CONFIG_PATHS", "KUBECONFIG", "KUBE_CTX", "KUBE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return monkeypatch


def answer_as(environment: pytest.MonkeyPatch, context: str, server: str, uid: str | None) -> None:
    environment.setattr(client, "ask", lambda *_: (context, server, uid))


def test_without_a_kubeconfig_that_is_there_the_plan_goes_on() -> None:
    read = KubernetesClusterDataSource().read(UNDECLARED)
    assert read == {
        **UNDECLARED,
        "config_path": "~/.kube/config",
        "config_paths": None,
        "server": None,
        "uid": None,
        "id": "current context of ~/.kube/config",
    }


def test_a_plan_shows_who_named_which_kubeconfig_and_what_it_leads_to(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("KUBECONFIG", "/mine")
    answer_as(environment, "prod", "https://here", "the-uid")
    read = KubernetesClusterDataSource().read(UNDECLARED)
    assert read["id"] == "context prod of /mine (KUBECONFIG), https://here"
    assert (read["config_path"], read["uid"]) == ("/mine", "the-uid")


@pytest.mark.parametrize("declared", [None, f"/one{os.pathsep}/two"])
def test_several_kubeconfigs_are_a_list(environment: pytest.MonkeyPatch, declared: str | None) -> None:
    environment.setenv("KUBECONFIG", f"/one{os.pathsep}/two")
    answer_as(environment, "prod", "https://here", "the-uid")
    read: dict[str, Any] = KubernetesClusterDataSource().read({**UNDECLARED, "kubeconfig": declared})
    assert (read["config_path"], read["config_paths"]) == (None, ["/one", "/two"])


def test_an_environment_that_leads_to_two_clusters_is_a_warning(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("KUBECONFIG", "/mine")
    environment.setenv("KUBE_CONFIG_PATH", "/other")
    answer_as(environment, "prod", "https://here", None)
    with collected_warnings() as told:
        read = KubernetesClusterDataSource().read(UNDECLARED)
    assert read["config_path"] == "/other"
    assert [each.severity for each in told] == ["warning"]


def test_a_variable_that_names_no_file_ends_the_plan_with_one_error(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("KUBECONFIG", "here.yaml")
    with pytest.raises(Refusal) as refusal:
        KubernetesClusterDataSource().read(UNDECLARED)
    (fault,) = refusal.value.diagnostics
    assert "here.yaml: there is no such file in" in fault.detail


def test_a_context_that_the_kubeconfig_does_not_have_ends_the_plan(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("{apiVersion: v1, kind: Config, clusters: [], users: [], contexts: []}")
    with pytest.raises(Refusal) as refusal:
        KubernetesClusterDataSource().read({"kubeconfig": str(file), "context": "prod"})
    assert "has no context 'prod'" in refusal.value.diagnostics[0].detail


def test_a_declared_file_may_be_what_the_apply_writes() -> None:
    read = KubernetesClusterDataSource().read({"kubeconfig": "/nowhere", "context": None})
    assert (read["config_path"], read["uid"]) == ("/nowhere", None)
