"""One table across targets, which says of each figure where it comes from."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeflow.config.target import target_class
from edgeflow.report.across import HEADER, across, header_of
from edgeflow.report.rows import Row
from edgeflow.targets.base import parse_options
from edgeflow.testing.trained import Trained
from tests.unit.report.samples import make_row

NONE = "\N{EN DASH}"


def options(**kinds: str) -> dict[str, Any]:
    return {name: parse_options(target_class(kind), {"kind": kind}) for name, kind in kinds.items()}


def compiled(results: Path, target: str, **operators: int) -> None:
    folder = results / f"targets/{target}/net/int8"
    folder.mkdir(parents=True)
    manifest = {
        **{key: {} for key in ("inputs", "slice", "tools", "files")},
        **{"format": 1, "step": "compile", "code": "0", "facts": {"operators": operators}},
    }
    (folder / "compile.json").write_text(json.dumps(manifest))


def row(target: str, **changes: Any) -> Row:
    return make_row(**{"model": "net", "recipe": "int8", "target": target, **changes})


def cells(results: Path, one: Row, kind: str) -> dict[str, str]:
    (found,) = across([one], results, options(**{one.target: kind}))
    return dict(zip(HEADER, found.cells(), strict=True))


@pytest.mark.parametrize(
    ("changes", "of", "latency"),
    [
        ({}, "device", "0.100 (device)"),
        ({"transport": "virtual"}, "virtual device", "0.100 (virtual device)"),
        ({"latency_p50_ms": None, "kinds": {"instructions": "emulated"}}, "emulator", NONE),
    ],
)
def test_what_a_device_gave(tmp_path: Path, changes: dict[str, Any], of: str, latency: str) -> None:
    compiled(tmp_path, "pi", cpu=9)
    shown = cells(tmp_path, row("pi", **changes), "litert")
    assert (shown["metric"], shown["latency, ms"]) == (f"99.00 ({of})", latency)
    assert (shown["KiB"], shown["on accelerator"]) == ("14.0", NONE)


def test_what_a_compiler_tells_is_marked_as_its_estimate(tmp_path: Path) -> None:
    compiled(tmp_path, "npu", cpu=1, accelerator=3)
    figures = {"latency_estimate_ms": 0.73, "model_bytes": 2048}
    kinds = {"latency_estimate_ms": "estimated", "model_bytes": "measured"}
    one = row(
        "npu", device="", kind="ethos_u", measured=False, compiled=True, checks=(),
        metric_compiled=0.95, figures=figures, kinds=kinds,
    )  # fmt: skip
    assert cells(tmp_path, one, "ethos_u") == {
        "deployment": "net/int8",
        "target": "npu",
        "KiB": "2.0",
        "on accelerator": "3 of 4",
        "metric": "95.00 (host)",
        "latency, ms": "0.730 (estimated)",
        "state": "compiled",
    }
    assert header_of([one]) == tuple("accuracy, %" if name == "metric" else name for name in HEADER)


def test_what_is_not_compiled_is_counted_by_the_linter(trained: Trained, tmp_path: Path) -> None:
    missing = Row(model="net", recipe="int8", target="coral", device="")
    assert cells(tmp_path, missing, "edgetpu")["on accelerator"] == NONE, "nothing to look at"
    (tmp_path / "models/net").mkdir(parents=True)
    (tmp_path / "models/net/int8").symlink_to(trained.recipe("ptq-int8"))
    (found,) = across([missing], tmp_path, options(coral="edgetpu"))
    assert found.operators is not None
    assert found.accelerator_operators == found.operators - 1, "the dense layer has many scales"
    assert found.cells()[3] == f"{found.operators - 1} of {found.operators}, by lint"
    assert cells(tmp_path, missing, "litert")["on accelerator"] == NONE
    assert found.record()["state"] == "not compiled"
