"""Check the bot's Kubernetes manifests with the schemas and against the code."""

from typing import Any

import pytest

from findimg.settings import Settings
from findimg_bot.slack.manifest import EVENTS_PATH, INSTALL_PATH, REDIRECT_PATH
from tests.infra.test_docker import command, environment
from tests.infra.test_kubernetes import check_native, documents

FILES = ("bot-socket.yaml", "bot-http.yaml")
each_file = pytest.mark.parametrize("name", FILES)


def the(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in documents(name) if each["kind"] == kind)
    return found


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = the("Deployment", name)["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    (only,) = pod(name)["containers"]
    return dict(only)


@each_file
def test_bot_objects_match_their_schemas(name: str) -> None:
    for document in documents(name):
        check_native(document)


def test_both_manifests_run_the_same_bot() -> None:
    socket, http = (documents(name) for name in FILES)
    kinds = ["ServiceAccount", "PodDisruptionBudget", "Deployment"]
    assert [each["kind"] for each in socket] == [*kinds, "NetworkPolicy"]
    assert [each["kind"] for each in http] == [*kinds, "Service", "Ingress", "NetworkPolicy"]
    for kind in ("ServiceAccount", "PodDisruptionBudget"):
        assert the(kind, FILES[0]) == the(kind, FILES[1])
    for key in ("image", "resources", "securityContext", "volumeMounts", "livenessProbe", "readinessProbe"):
        assert container(FILES[0])[key] == container(FILES[1])[key]


@each_file
def test_replicas_run_on_any_node_and_share_one_database(name: str) -> None:
    deployment = the("Deployment", name)["spec"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (2, "RollingUpdate")
    labels = deployment["template"]["metadata"]["labels"]
    (spread,) = pod(name)["topologySpreadConstraints"]
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert spread["labelSelector"]["matchLabels"] == labels
    assert "affinity" not in pod(name)
    assert all("persistentVolumeClaim" not in volume for volume in pod(name)["volumes"])
    assert the("PodDisruptionBudget", name)["spec"] == {"minAvailable": 1, "selector": {"matchLabels": labels}}


@each_file
def test_bot_containers_are_unprivileged_and_read_only(name: str) -> None:
    user = pod(name)["securityContext"]
    assert (user["runAsNonRoot"], user["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    confined = container(name)["securityContext"]
    assert confined == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {each["mountPath"]: each["name"] for each in container(name)["volumeMounts"]}
    assert {each["name"] for each in pod(name)["volumes"]} == set(mounts.values())
    image = environment("bot")
    for place in (image["HOME"], f"{image['FINDIMG_CACHE']}/libraries"):
        assert place in mounts


@each_file
def test_bot_command_and_probes_are_valid(name: str) -> None:
    only = container(name)
    mode, address = only["args"][1:]
    assert only["args"][0] == command("bot")[1] == "serve"
    assert mode == ("--http" if name == "bot-http.yaml" else "--monitor")
    (port,) = only["ports"]
    assert address == f"0.0.0.0:{port['containerPort']}"
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert only[probe]["httpGet"] == {"path": path, "port": port["name"]}
    assert only["resources"]["requests"]["memory"] == "3Gi"


@each_file
def test_manifests_contain_no_secret_values(name: str) -> None:
    secrets = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container(name)["env"]}
    assert all(reference["key"] == variable for variable, reference in secrets.items())
    assert secrets["FINDIMG_STATE"]["name"] == "findimg-state"  # it contains a password
    slack = secrets.keys() - {"FINDIMG_STATE"}
    assert all(Settings.is_secret(variable.removeprefix("FINDIMG_").lower()) for variable in slack)
    wanted = "FINDIMG_SLACK_SIGNING_SECRET" if name == "bot-http.yaml" else "FINDIMG_SLACK_APP_TOKEN"
    assert slack == {"FINDIMG_SLACK_BOT_TOKEN", wanted}


def test_ingress_exposes_only_slack_paths() -> None:
    (rule,) = the("Ingress", FILES[1])["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    for each in (EVENTS_PATH, INSTALL_PATH, REDIRECT_PATH):
        assert each.startswith(path["path"])
    for each in ("/healthz", "/readyz", "/metrics"):
        assert not each.startswith(path["path"])
    service = the("Service", FILES[1])
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == the("Deployment", FILES[1])["spec"]["selector"]["matchLabels"]
    for name in FILES:
        policy = the("NetworkPolicy", name)["spec"]
        assert policy["podSelector"]["matchLabels"] == the("Deployment", name)["spec"]["selector"]["matchLabels"]
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert {each["port"] for rule in policy["ingress"] for each in rule["ports"]} == {8080}
        assert {each["port"] for rule in policy["egress"] for each in rule["ports"]} == {53, 443, 5432}
