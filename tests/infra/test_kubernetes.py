"""Check the Kubernetes manifests strictly: native kinds by their schemas, KubeRay's by the used fields."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import kubernetes_validate
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from findimg.settings import Settings

FOLDER = Path(__file__).parents[2] / "infra" / "kubernetes"


class Strict(BaseModel):
    """A model that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Template(Strict):
    """A pod template. `check_pod` checks its spec."""

    spec: dict[str, Any]


class HeadGroup(Strict):
    rayStartParams: dict[str, str]
    template: Template


class WorkerGroup(HeadGroup):
    groupName: str
    replicas: int
    minReplicas: int
    maxReplicas: int


class RayCluster(Strict):
    rayVersion: str
    headGroupSpec: HeadGroup
    workerGroupSpecs: list[WorkerGroup] = Field(min_length=1)


class RayJobSpec(Strict):
    """The fields of KubeRay's RayJobSpec (apis/ray/v1/rayjob_types.go) that are used here."""

    entrypoint: str
    submissionMode: Literal["K8sJobMode", "HTTPMode"]
    backoffLimit: int
    activeDeadlineSeconds: int
    shutdownAfterJobFinishes: bool
    ttlSecondsAfterFinished: int
    rayClusterSpec: RayCluster


class GeneratedName(Strict):
    generateName: str


class Name(Strict):
    name: str


class RayJob(Strict):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: GeneratedName
    spec: RayJobSpec


class RayCronJobSpec(Strict):
    """KubeRay's RayCronJobSpec (apis/ray/v1/raycronjob_types.go)."""

    schedule: str
    jobTemplate: RayJobSpec


class RayCronJob(Strict):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayCronJob"]
    metadata: Name
    spec: RayCronJobSpec


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def check_native(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def check_pod(spec: dict[str, Any]) -> None:
    check_native({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec})


def pods_of(spec: RayJobSpec) -> list[dict[str, Any]]:
    cluster = spec.rayClusterSpec
    return [group.template.spec for group in (cluster.headGroupSpec, *cluster.workerGroupSpecs)]


def the_cron_job() -> dict[str, Any]:
    (found,) = (each for each in documents("nightly.yaml") if each["kind"] == "CronJob")
    return found


def test_native_objects_match_their_schemas() -> None:
    kinds = [document["kind"] for document in documents("nightly.yaml")]
    assert kinds == ["ServiceAccount", "Role", "RoleBinding", "ServiceAccount", "CronJob"]
    for document in documents("nightly.yaml"):
        check_native(document)


def test_misspelt_field_is_rejected() -> None:
    job = the_cron_job()
    job["spec"]["concurencyPolicy"] = "Forbid"
    with pytest.raises(kubernetes_validate.ValidationError, match="concurencyPolicy"):
        check_native(job)
    (night,) = documents("rayjob.yaml")
    night["spec"]["shutdownAfterJobFinish"] = True
    with pytest.raises(ValidationError, match="shutdownAfterJobFinish\n"):
        RayJob.model_validate(night)


def test_ray_job_and_pods_match_their_schemas() -> None:
    (night,) = documents("rayjob.yaml")
    for pod in pods_of(RayJob.model_validate(night).spec):
        check_pod(pod)


def test_raycronjob_runs_the_same_job() -> None:
    (night,) = documents("rayjob.yaml")
    (cron,) = documents("raycronjob.yaml")
    alternative = RayCronJob.model_validate(cron)
    assert alternative.spec.jobTemplate == RayJob.model_validate(night).spec
    assert alternative.spec.schedule == the_cron_job()["spec"]["schedule"]


def test_job_containers_are_unprivileged_and_read_only() -> None:
    (night,) = documents("rayjob.yaml")
    pods = pods_of(RayJob.model_validate(night).spec)
    for pod in [*pods, the_cron_job()["spec"]["jobTemplate"]["spec"]["template"]["spec"]]:
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            confined = container["securityContext"]
            assert confined["allowPrivilegeEscalation"] is False
            assert confined["readOnlyRootFilesystem"] is True
            assert confined["capabilities"]["drop"] == ["ALL"]
            assert "memory" in container["resources"]["limits"]


def test_named_settings_exist() -> None:
    (kustomization,) = documents("kustomization.yaml")
    (literals,) = (each["literals"] for each in kustomization["configMapGenerator"] if "literals" in each)
    variables = {literal.partition("=")[0] for literal in literals}
    (night,) = documents("rayjob.yaml")
    for pod in pods_of(RayJob.model_validate(night).spec):
        variables |= {each["name"] for container in pod["containers"] for each in container["env"]}
    ours = {name.removeprefix("FINDIMG_").lower() for name in variables if name.startswith("FINDIMG_")}
    assert ours
    assert ours <= Settings.model_fields.keys()


@pytest.fixture
def stub(tmp_path: Path) -> Callable[[str, str], None]:
    """Put a shell script before all other commands on the PATH."""

    def stub(name: str, script: str) -> None:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return stub


def shell(command: list[str], tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "EVERY": "0", **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(("code", "ends_with"), [(0, 0), (2, 2), (3, 3), (4, 0)])
def test_locked_library_is_not_a_failure(
    stub: Callable[[str, str], None], tmp_path: Path, code: int, ends_with: int
) -> None:
    stub("findimg-jobs", f'echo "$@"; exit {code}')
    (night,) = documents("rayjob.yaml")
    done = shell(["sh", "-c", night["spec"]["entrypoint"]], tmp_path, NIGHTLY_SOURCES="s3://a s3://b")
    assert done.returncode == ends_with
    pruned = "prune\n" if ends_with == 0 else ""
    assert done.stdout == f"index --sources s3://a s3://b --ray-address auto\n{pruned}"


@pytest.mark.parametrize(("status", "ends_with", "deleted"), [("Complete", 0, True), ("Failed", 1, False)])
def test_nightly_job_waits_for_the_ray_job(
    stub: Callable[[str, str], None], tmp_path: Path, status: str, ends_with: int, deleted: bool
) -> None:
    # A cluster that answers Running twice before the job ends.
    stub(
        "kubectl",
        f"""cd {tmp_path}; echo "$@" >> asked
case "$1 $*" in
create*) echo rayjob.ray.io/findimg-nightly-x;;
get*jobDeploymentStatus*) [ "$(grep -c DeploymentStatus asked)" -gt 2 ] && echo {status} || echo Running;;
get*) echo AppFailed: exit code 3;;
esac""",
    )
    done = shell(["sh", str(FOLDER / "nightly.sh")], tmp_path)
    assert done.returncode == ends_with, done.stderr
    asked = (tmp_path / "asked").read_text()
    assert asked.count("jobDeploymentStatus") == 3
    assert ("delete rayjob.ray.io/findimg-nightly-x" in asked) is deleted
    assert ("exit code 3" in done.stdout) is not deleted


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed: nothing is put together")
def test_kustomization_lists_every_resource() -> None:
    made = subprocess.run(["kubectl", "kustomize", FOLDER], capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    objects = list(yaml.safe_load_all(made.stdout))
    configuration = {each["metadata"]["name"]: each["data"] for each in objects if each["kind"] == "ConfigMap"}
    assert configuration["findimg-nightly"]["rayjob.yaml"] == (FOLDER / "rayjob.yaml").read_text()
    for each in objects:
        check_native(each)
