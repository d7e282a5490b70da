"""Check the EC2 cluster file with Ray's schema and the EC2 API model."""

import re
import tomllib
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import pytest
import yaml
from botocore.validate import ParamValidator
from ray.autoscaler._private.util import prepare_config, validate_config

CLUSTER = Path(__file__).parents[2] / "infra" / "aws" / "ray-cluster.yaml"


@pytest.fixture
def config() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(CLUSTER.read_text())
    return config


def mistakes(node_config: dict[str, Any]) -> str:
    """Return what EC2 would refuse in the parameters that Ray starts an instance with."""
    takes = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    # Ray adds these itself.
    whole = {"MinCount": 1, "MaxCount": 1, **node_config}
    report: str = ParamValidator().validate(whole, takes).generate_report()
    return report


def test_cluster_file_passes_rays_checks(config: dict[str, Any]) -> None:
    validate_config(prepare_config(config))
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        validate_config(prepare_config({**config, "max_worker": 3}))


def test_instances_match_the_ec2_api(config: dict[str, Any]) -> None:
    for node in config["available_node_types"].values():
        assert mistakes(node["node_config"]) == ""
    misspelt = {"InstanceTyp": "m7i.xlarge"}
    assert "InstanceTyp" in mistakes(misspelt)
    assert "VolumeSiz" in mistakes({"BlockDeviceMappings": [{"Ebs": {"VolumeSiz": 1}}]})


def test_disks_are_encrypted_and_metadata_needs_a_token(config: dict[str, Any]) -> None:
    for node in config["available_node_types"].values():
        (disk,) = node["node_config"]["BlockDeviceMappings"]
        assert disk["Ebs"]["Encrypted"] is True
        assert node["node_config"]["MetadataOptions"] == {"HttpTokens": "required"}


def test_only_workers_compute_and_use_spot_instances(config: dict[str, Any]) -> None:
    head = config["available_node_types"].pop(config["head_node_type"])
    assert head["resources"] == {"CPU": 0}
    assert "--num-cpus=0" in " ".join(config["head_start_ray_commands"])
    assert "InstanceMarketOptions" not in head["node_config"]
    for node in config["available_node_types"].values():
        assert node["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}


def test_machines_get_the_package_of_the_ray_command(config: dict[str, Any]) -> None:
    project = tomllib.loads((CLUSTER.parents[2] / "pyproject.toml").read_text())["project"]
    installed = re.search(r"findimg\[(\w+)\]", " ".join(config["setup_commands"]))
    assert installed is not None
    assert any(each.startswith("ray") for each in project["optional-dependencies"][installed[1]])
