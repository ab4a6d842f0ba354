"""The gate step: confirms a measured deployment, or rolls its device back."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.events import recorded
from edgeflow.artifact.hashing import sha256_json
from edgeflow.deploy.release import open_device
from edgeflow.errors import GateError
from edgeflow.validate.gates import GateResult, check_gates


def confirm(options: Mapping[str, Any], code: str, validation: Path, out: Path) -> None:
    """Hold validation.json against the gates and write gates.json.

    Where all hold, the bundle is made (or stays) the device's current release. Where one does
    not, the device goes back to the release before.

    Args:
        options: ``{"device": of the deploy step, "gates": name to limit}``.
        code: fingerprint of the step; part of the command line, so that new code runs again.
        validation: the file that the validate step wrote.
        out: the file to write.

    Raises:
        GateError: a gate does not hold; names each with limit and figure.
    """
    record = json.loads(validation.read_text())
    name = f"{record['device']}/{record['model']}"
    with recorded("gate", name) as event:
        event.facts["key"] = sha256_json({"options": options, "code": code, "validation": record})
        results = check_gates(record, options["gates"])
        failed = [result for result in results if not result.passed]
        with open_device(options["device"]) as device:
            if failed:
                state = device.rollback(
                    record["model"], record["bundle_sha256"], reason="gate failed"
                )
                raise _gate_error(name, failed, state)
            event.facts["changed"] = device.ensure_active(record["model"], record["bundle_sha256"])
        write_json(
            out,
            {
                "bundle_sha256": record["bundle_sha256"],
                "gates": [asdict(result) for result in results],
                "passed": True,
            },
        )


def _gate_error(name: str, failed: list[GateResult], current: str | None) -> GateError:
    figures = "".join(f"\n  - {result}" for result in failed)
    went = f"release {current[:12]}" if current else "no release, it had none before"
    return GateError(
        f"{name} misses {len(failed)} gate{'s' if len(failed) > 1 else ''}{figures}\n"
        f"  the device went back to {went}",
        hint="improve the model or its recipe, or relax the gate, then run `snakemake` again; "
        "the report shows where the figures come from",
    )
