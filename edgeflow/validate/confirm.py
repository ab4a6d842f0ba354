"""The gate step: makes a measured release current, or rejects it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.events import recorded
from edgeflow.artifact.hashing import sha256_json
from edgeflow.deploy.judged import forget_rollback
from edgeflow.deploy.release import open_device
from edgeflow.deploy.service import keep_serving
from edgeflow.errors import EdgeflowError, GateError
from edgeflow.figures.table import figure
from edgeflow.validate.gates import GateResult, check_gates, misses
from edgeflow.validate.schema import read_validation


def confirm(slice_: Mapping[str, Any], code: str, validation: Path, out: Path) -> None:
    """Hold validation.json against the gates and write gates.json.

    Where all hold, the bundle is made (or stays) the device's current release. Where one does
    not, it is rejected: it never becomes current, or, if it passed other gates before, the device
    goes back to the release before.

    Args:
        slice_: ``{"device": of the deploy step, "gates": name to limit}``, and the options
            of the ``"service"`` where the device has one; ``"allow_downgrade"``, if the device
            may take a bundle with a lower counter than it has had.
        code: fingerprint of the step; part of the command line, so that new code runs again.
        validation: the file that the validate step wrote.
        out: the file to write.

    Raises:
        GateError: a gate does not hold; names each with limit and figure.
        DeployError: the device refuses the release, or its service does not serve it.
    """
    with recorded("gate", slice_["device"]["name"]) as event:
        record = read_validation(validation).model_dump(mode="json")
        event.name = name = f"{record['device']}/{record['model']}"
        event.facts["key"] = sha256_json({"slice": slice_, "code": code, "validation": record})
        results = check_gates(record, slice_["gates"])
        failed = [result for result in results if not result.passed]
        if failed:
            raise _gate_error(name, failed, _reject(slice_["device"], record, failed))
        with open_device(slice_["device"]) as device:
            allowed = slice_.get("allow_downgrade", False)
            model, sha = record["model"], record["bundle_sha256"]
            changed = device.activate(model, sha, allow_downgrade=allowed)
            if changed:
                device.prune(record["model"])
            if "service" in slice_:
                keep_serving(device, record["model"], slice_["service"])
        event.facts["changed"] = changed
        forget_rollback(out.parent)
        write_json(
            out,
            {
                "bundle_sha256": record["bundle_sha256"],
                "gates": [result.to_json() for result in results],
                "passed": True,
            },
        )


def _reject(
    device_slice: Mapping[str, Any], record: Mapping[str, Any], failed: list[GateResult]
) -> str:
    """Tell the device; return what it serves then. Whatever it answers, the gate is missed."""
    reason = "missed " + ", ".join(result.name for result in failed)
    try:
        with open_device(device_slice) as device:
            return str(device.reject(record["model"], record["bundle_sha256"], reason))
    except EdgeflowError as error:
        return f"what the device serves now is not known: {error.message}"


def _gate_error(name: str, failed: list[GateResult], outcome: str) -> GateError:
    return GateError(f"{misses(name, failed)}\n  {outcome}", hint="; ".join(_hints(failed)))


def _hints(failed: list[GateResult]) -> Iterator[str]:
    """Yield what to do about gates that were missed, and about figures that there are not."""
    if any(result.value is not None for result in failed):
        yield (
            "improve the model or its recipe, or relax the gate, then run `edgeflow run` again; "
            "the report shows where the figures come from"
        )
    lacking = [result.figure for result in failed if result.value is None]
    energy = figure("energy_mj")
    if others := ", ".join(lack.title for lack in lacking if lack != energy):
        yield f"the device gave no figure for {others}: leave out the gate on it"
    if energy in lacking:
        yield (
            "no energy sensor could be read: the device needs one in powercap or hwmon that its "
            "account may read, see docs/validation.md; or leave the gate out"
        )
