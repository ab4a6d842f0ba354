"""The judge step: holds a model that goes to no device against its gates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.events import recorded
from edgeflow.artifact.hashing import sha256_json
from edgeflow.artifact.manifest import read_manifest
from edgeflow.errors import GateError
from edgeflow.validate.gates import check_gates, misses

BUNDLE_SIZES = ("model_bytes", "bundle_bytes", "model_packed_bytes", "bundle_packed_bytes")
"""Facts of the bundle step."""


def judge(
    slice_: Mapping[str, Any], code: str, model: Path, recipe: Path, compiled: Path, out: Path
) -> None:
    """Hold what is known without a device against the gates, and write gates.json.

    Args:
        slice_: ``{"names": target, model and recipe, "gates": name to limit}``.
        code: fingerprint of the step; part of the command line, so that new code runs again.
        model: folder of the model before any recipe.
        recipe: folder of the model after the recipe.
        compiled: folder that the compile and bundle steps made.
        out: the file to write.

    Raises:
        GateError: a gate does not hold; names each with limit and figure.
    """
    name = "{target}/{model}/{recipe}".format(**slice_["names"])
    with recorded("judge", name) as event:
        record = record_of(model, recipe, compiled)
        event.facts["key"] = sha256_json({"slice": slice_, "code": code, "record": record})
        results = check_gates(record, slice_["gates"])
        failed = [result for result in results if not result.passed]
        if failed:
            raise GateError(
                misses(name, failed),
                hint="improve the model or its recipe, or relax the gate; what is not measured "
                "here needs a device in `devices`",
            )
        write_json(out, {"gates": [result.to_json() for result in results], "passed": True})


def record_of(model: Path, recipe: Path, compiled: Path) -> dict[str, Any]:
    """Return what validation.json would say of a model, as far as it is known without a device.

    Args:
        model: folder of the model before any recipe.
        recipe: folder of the model after the recipe.
        compiled: folder that the compile and bundle steps made.

    Raises:
        IntegrityError: a manifest is missing, or cannot be read.
    """
    before, after = read_manifest(model / "manifest.json"), read_manifest(recipe / "manifest.json")
    facts = read_manifest(compiled / "compile.json").facts
    return {
        "kind": facts["kind"],
        "metric": {
            "name": facts["metric"],
            "baseline": before.facts["metric_test"],
            "recipe": after.facts["metric_test"],
            "compiled": facts["metric_test"],
        },
        "sizes": sizes(recipe, compiled),
        "figures": facts["figures"],
        "parity": None,
        "latency_ms": None,
        "load_time_ms": None,
        "peak_rss_mb": None,
    }


def sizes(recipe: Path, compiled: Path) -> dict[str, int]:
    """Return the sizes of a model in bytes, from the float network to what is sent."""
    files = read_manifest(recipe / "manifest.json").files
    bundle = read_manifest(compiled / "bundle.json").facts
    return {
        "float_bytes": files["float.tflite"].size_bytes,
        "recipe_bytes": files["model.tflite"].size_bytes,
        **{name: bundle[name] for name in BUNDLE_SIZES},
    }
