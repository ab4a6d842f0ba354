"""Targets that are no Python call in edgeflow's environment, from data to gate in one project."""

import copy
import csv
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from tests import tiny_targets
from tests.workflow.conftest import CONFIG, ROOT, Project, make_project

CHILDREN = {"child-1": "A1", "child-2": "B2"}
"""Devices with the serial number of their unit."""


def configuration() -> dict[str, Any]:
    raw = copy.deepcopy(CONFIG)
    raw["datasets"]["digits"]["limit"] = 300
    raw["recipes"] = {"fp32": {}}
    raw["targets"] = {"child": {"kind": "tiny-child"}}
    raw["devices"] = {
        name: {"target": "child", "transport": "virtual", "unit": {"serial": serial}}
        for name, serial in CHILDREN.items()
    }
    raw["deployments"] = [
        {
            "model": "tiny",
            "recipe": "fp32",
            "devices": list(CHILDREN),
            "measure": {"samples": 20},
            # Once to say what the model is, once for all samples.
            "gates": {"tensor_bytes_max": 1e6, "program_starts_max": 2, "parity_min": 1.0},
        }
    ]
    return raw


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A built project with a deployment to a device of each tiny target."""
    made = make_project(tmp_path_factory.mktemp("tiny") / "project", configuration())
    tiny_targets.install(made.folder)
    made.build()
    yield made
    made.stop_devices()


def read(project: Project, name: str) -> Any:
    return json.loads((project.folder / "results" / name).read_text())


def test_an_engine_that_is_a_child_program_goes_from_data_to_gate(project: Project) -> None:
    schema = json.loads((ROOT / "edgeflow/validate/validation.schema.json").read_text())
    compiled = read(project, "targets/child/tiny/fp32/compile.json")["facts"]
    recipe = read(project, "models/tiny/fp32/manifest.json")["facts"]
    assert compiled["weights"] == recipe["parameters"] > 0, "the compiler read the network itself"
    bundles = set()
    for device, serial in CHILDREN.items():
        record = read(project, f"devices/{device}/tiny/validation.json")
        jsonschema.validate(record, schema)
        bundles.add(record["bundle_sha256"])
        assert record["conditions"]["engine"] == f"tiny-child 1, unit {serial}"
        assert (record["latency_ms"], record["load_time_ms"], record["peak_rss_mb"]) == (None,) * 3
        assert record["figures"]["program_starts"] == 2
        assert record["figures"]["tensor_bytes"] > 4 * compiled["weights"]
        (gate,) = [
            gate
            for gate in read(project, f"devices/{device}/tiny/gates.json")["gates"]
            if gate["name"] == "tensor_bytes_max"
        ]
        assert gate == {
            "name": "tensor_bytes_max",
            "kind": "emulated",
            "limit": 1e6,
            "value": record["figures"]["tensor_bytes"],
            "passed": True,
        }
    assert len(bundles) == 1, "a unit is no part of the bundle"


def test_figures_of_engines_are_in_the_table_and_latencies_of_none_are_not(
    project: Project,
) -> None:
    with (project.folder / "results/report/metrics.csv").open() as file:
        rows = {row["device"]: row for row in csv.DictReader(file)}
    for device in CHILDREN:
        record = read(project, f"devices/{device}/tiny/validation.json")
        assert (rows[device]["latency_p50_ms"], rows[device]["cpu"]) == ("", "a program")
        assert float(rows[device]["tensor_bytes"]) == record["figures"]["tensor_bytes"]


def test_another_unit_reaches_its_device_alone(project: Project) -> None:
    raw = configuration()
    raw["devices"]["child-2"]["unit"]["serial"] = "C3"
    project.write_config(raw)
    assert project.would_run() == {"deploy": 1, "validate": 1, "gate": 1, "report": 1}
