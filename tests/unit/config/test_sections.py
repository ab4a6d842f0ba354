"""What one section says about itself: one problem per mistake, each with its path."""

from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[[object], dict[str, str]]


def put(raw: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Set the value at a dotted path; a number is a place in a list."""
    *parents, last = path.split(".")
    node: Any = raw
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
    node[int(last) if isinstance(node, list) else last] = value
    return raw


def test_the_good_configuration_has_no_problem(good: dict[str, Any], problems: Check) -> None:
    assert problems(good) == {}


SOUND = {"source": "wav_folder", "path": "p", "features": {"upper_hz": 9000}}

# path of the value, value, path of the problem, what the message must say
WRONG = [
    ("datasets.digits", {"sorce": "digits"}, "datasets.digits.sorce", "did you mean 'source'?"),
    ("datasets.digits", {}, "datasets.digits.source", "one of: digits, mnist"),
    ("datasets.digits", {"source": "digit"}, "datasets.digits.source", "did you mean 'digits'?"),
    ("datasets.digits", {"source": ["digits"]}, "datasets.digits.source", "no such source"),
    ("datasets.digits.seeed", 1, "datasets.digits.seeed", "did you mean 'seed'?"),
    ("datasets.digits.digits", 1, "datasets.digits.digits", "unknown key"),
    ("datasets.digits.seed", True, "datasets.digits.seed", "valid integer, got True"),
    ("datasets.digits.seed", -1, "datasets.digits.seed", "greater than or equal to 0, got -1"),
    ("datasets.digits.test", 1.0, "datasets.digits.test", "less than 1, got 1.0"),
    ("datasets.p", {"source": "npz", "path": ""}, "datasets.p.path", "at least 1 character"),
    (
        "datasets.p",
        {"source": "npz", "path": "{x}.npz"},
        "datasets.p.path",
        "a path must have no {",
    ),
    ("datasets.p", {"source": "npz", "path": "a\nb"}, "datasets.p.path", "no line break"),
    ("devices.bench-pi.environment", "{v}.txt", "devices.bench-pi.environment", "wildcard"),
    ("datasets.digits.task", "anomly", "datasets.digits.task", "did you mean 'anomaly'?"),
    ("datasets.digits.labels", ["a", "b", "a"], "datasets.digits.labels", "'a' stands there twice"),
    ("datasets.digits.preprocess", {"scale": 0}, "datasets.digits.preprocess", "samples equal"),
    ("datasets.w", SOUND, "datasets.w.features", "at most half of rate (8000)"),
    ("datasets.Bad", {"source": "digits"}, "datasets.Bad", "not a name"),
    ("models", [], "models", "expected a mapping, got a list"),
    ("models", None, "models", "got nothing"),
    ("models.cnn", 3, "models.cnn", "expected a mapping, got 3"),
    ("models.cnn.trian", {}, "models.cnn.trian", "did you mean 'train'?"),
    ("models.cnn.architecture", "ds_cnn", "models.cnn.architecture", "expected a mapping"),
    ("models.cnn.architecture", {"nam": "x"}, "models.cnn.architecture.nam", "mean 'name'?"),
    ("models.cnn.architecture.name", "a b", "models.cnn.architecture.name", "wrong form"),
    ("models.cnn.train.epochs", "10", "models.cnn.train.epochs", "without quotes"),
    ("models.cnn.train.epochs", 0, "models.cnn.train.epochs", "greater than or equal to 1"),
    ("models.cnn.train.schedule", "cosin", "models.cnn.train.schedule", "mean 'cosine'?"),
    ("models.cnn.train.learning_rate", float("inf"), "models.cnn.train.learning_rate", "finite"),
    ("recipes.fp32", None, "recipes.fp32", "write {} for an empty one"),
    ("recipes.int8.quantize", "ptq-int", "recipes.int8.quantize", "mean 'ptq-int8'?"),
    ("recipes.int8", {"quantise": "none"}, "recipes.int8.quantise", "mean 'quantize'?"),
    ("targets.pi.kind", "litrt", "targets.pi.kind", "did you mean 'litert'?"),
    ("targets.pi.thraeds", 1, "targets.pi.thraeds", "did you mean 'threads'?"),
    ("targets.intel.device", "cpu", "targets.intel.device", "'CPU', 'GPU', 'NPU' or 'AUTO'"),
    ("devices.bench-pi.transport", "usb", "devices.bench-pi.transport", "no such transport"),
    ("devices.bench-pi.timeout_s", 0, "devices.bench-pi.timeout_s", "greater than 0"),
    ("deployments", {}, "deployments", "expected a valid list, got a mapping"),
    ("deployments", [], "deployments", "at least 1 item"),
    ("deployments.0", 3, "deployments.0", "its keys: allow_downgrade, devices"),
    ("deployments.0.devices", [], "deployments.0", "neither `devices` nor `targets`"),
    ("deployments.0.gates", {"acuracy_min": 1}, "deployments.0.gates.acuracy_min", "accuracy_min"),
    ("deployments.0.gates", {"accuracy_min": 95}, "deployments.0.gates.accuracy_min", "equal to 1"),
    ("store", {"pth": "x"}, "store.pth", "did you mean 'path'?"),
    ("modles", {}, "modles", "did you mean 'models'?"),
]


@pytest.mark.parametrize(("path", "value", "where", "says"), WRONG)
def test_one_mistake_is_one_problem(
    good: dict[str, Any], problems: Check, path: str, value: object, where: str, says: str
) -> None:
    found = problems(put(good, path, value))
    assert list(found) == [where]
    assert says in found[where]


@pytest.mark.parametrize("raw", [None, {}, [], "text", 3, [{"datasets": {}}]])
def test_an_empty_configuration_names_the_sections(raw: object, problems: Check) -> None:
    assert "it needs the sections datasets, models, recipes" in problems(raw)["config"]


def test_a_missing_section_hides_the_references_to_it(
    good: dict[str, Any], problems: Check
) -> None:
    del good["datasets"]
    assert list(problems(good)) == ["datasets"]


def test_a_slip_in_a_section_name_is_one_problem(good: dict[str, Any], problems: Check) -> None:
    good["recepies"] = good.pop("recipes")
    assert problems(good) == {"recepies": "unknown key (did you mean 'recipes'?)"}


def test_all_problems_come_at_once(good: dict[str, Any], problems: Check) -> None:
    put(good, "datasets.digits.seed", "x")
    put(good, "models.cnn.architecture.widht", 3)
    put(good, "models.cnn.train.epochs", 0)
    put(good, "deployments.0.gates", {"no_such_gate": 1})
    put(good, "deployments.0.recipe", "int9")
    put(good, "devices.bench-pi.target", "pj")
    assert set(problems(good)) == {
        "datasets.digits.seed",
        "models.cnn.architecture.widht",
        "models.cnn.train.epochs",
        "deployments.0.gates.no_such_gate",
        "deployments.0.recipe",
        "devices.bench-pi.target",
    }


SSH = {
    "target": "pi",
    "transport": "ssh",
    "host": "pi.local",
    "user": "root",
    "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHGouOOZTwMVfqgCUXxxD/tfOWANN+G7diwlcDZU5hb3",
    "identity": "key",
    "trust": "transport",
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("host", "-oProxyCommand=x"),
        ("host", "a b"),
        ("user", "-l"),
        ("host_key", "AAAAC3NzaC1lZDI1NTE5"),
        ("path", "../up"),
        ("path", "a/../b"),
        ("path", "-rf"),
        ("path", "a/-rf"),
        ("path", "a b"),
        ("python", "python3; reboot"),
        ("python", "x" * 201),
    ],
)
def test_what_would_need_quoting_on_a_device_is_refused(
    good: dict[str, Any], problems: Check, key: str, value: str
) -> None:
    good["devices"]["real"] = {**SSH, key: value}
    assert list(problems(good)) == [f"devices.real.{key}"]


@pytest.mark.parametrize("path", ["edgeflow", "/opt/edge_flow-1.2/x", ".venv/bin/python"])
def test_ordinary_paths_on_a_device_are_accepted(
    good: dict[str, Any], problems: Check, path: str
) -> None:
    good["devices"]["real"] = {**SSH, "path": path, "python": path}
    assert problems(good) == {}
