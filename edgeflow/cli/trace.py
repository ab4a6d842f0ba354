"""`edgeflow explain --device NAME`: what a device runs, traced to its data and code."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgeflow.cli.device.several import opened
from edgeflow.config.finding import did_you_mean
from edgeflow.errors import IntegrityError

if TYPE_CHECKING:
    from edgeflow.deploy.release import OpenDevice
    from edgeflow.plan import Plan

STEPS = {"dataset": "dataset", "training": "train", "recipe": "compress", "compile": "compile"}
"""Steps whose code made what a bundle's provenance names."""


def trace_device(plan: "Plan", name: str, model: str | None, results: Path) -> dict[str, Any]:
    """Return what a device runs of a model, or of all that are deployed to it, and from what.

    Raises:
        UnreachableError: it does not answer.
        DeployError: it does not give what it runs.
    """
    sections = plan.config.devices
    if name not in sections:
        raise typer.BadParameter(f"no device {name!r}; {did_you_mean(name, sections)}")
    models = [unit.model for unit in plan.deployed if unit.device == name]
    if model is not None and model not in plan.config.models:
        raise typer.BadParameter(f"no model {model!r}; {did_you_mean(model, models)}")
    with opened(name, sections[name]) as device:
        return {
            each: _traced(plan, device, each, results) for each in ([model] if model else models)
        }


def _traced(plan: "Plan", device: "OpenDevice", model: str, results: Path) -> dict[str, Any]:
    from edgeflow.bundle.signing import fingerprint
    from edgeflow.config.publickey import public_half
    from edgeflow.deploy import provenance
    from edgeflow.plan.steps.bundle import key_file

    found = provenance.served(device, model)
    if found is None:
        return {"bundle_sha256": None, "unproved": ["anything: the device serves none"]}
    manifest = provenance.read(found, device.endpoint.title)
    signing = plan.config.signing
    public = public_half(key_file(signing.key)) if signing else None
    unproved = list(provenance.doubts(found, public))
    signed = not any(line.startswith("who made it") for line in unproved)
    links = []
    if manifest.provenance is None:
        unproved.append("from what: no build made the bundle")
    else:
        names = {
            "model": manifest.model,
            "recipe": manifest.recipe,
            "dataset": plan.config.models[model].dataset,
            "target": plan.config.devices[device.endpoint.name].target,
        }
        links = provenance.chain(manifest.provenance, names, results, _codes(plan, names))
        unproved += provenance.gaps(links)
    return {
        "bundle_sha256": found.sha256,
        "manifest_sha256": provenance.digest_of(found.manifest),
        "model": manifest.model,
        "recipe": manifest.recipe,
        "counter": manifest.counter,
        "signed_by": found.signed_by,
        "key": fingerprint(public) if public and signed else None,
        "chain": [asdict(link) for link in links],
        "unproved": unproved,
    }


def _codes(plan: "Plan", names: Mapping[str, str]) -> dict[str, str]:
    """Return the fingerprint of each step's code here, as far as the configuration has the step."""
    from edgeflow.artifact.fingerprint import fingerprint

    found = {}
    for step, rule in STEPS.items():
        imported = rule == "train" and plan.config.models[names["model"]].source is not None
        try:
            job = plan.job("import_model" if imported else rule, **names)
        except KeyError:  # a recipe that the configuration no longer has
            continue
        found[step] = fingerprint(*job.modules)
    return found


def lines_of(device: str, traced: Mapping[str, Any]) -> Iterator[str]:
    """Yield for people what `trace_device` found."""
    for model, it in traced.items():
        if it["bundle_sha256"] is None:
            yield f"{device} serves no {model}"
            continue
        yield f"{device} serves {model}/{it['recipe']}, bundle {it['bundle_sha256'][:12]}"
        signed = f"signed by {it['key']}" if it["key"] else "no signature proves it"
        yield f"  manifest {it['manifest_sha256'][:12]}, counter {it['counter']}: {signed}"
        for link in it["chain"]:
            yield f"  {link['step']} {link['digest'][:12]}: {_said(link)}"
        for line in it["unproved"]:
            yield f"  not proved: {line}"


def _said(link: Mapping[str, Any]) -> str:
    if link["state"] != "here":
        return f"{link['manifest']} is {'not here' if link['state'] == 'missing' else 'another'}"
    known = {True: ", the code of this checkout", False: ", not that of this checkout"}
    return f"{link['manifest']}, by code {link['code'][:12]}{known.get(link['same_code'], '')}"


def require_signed(traced: Mapping[str, Any], device: str) -> None:
    """Refuse a signature that is there and is not one of the manifest.

    Raises:
        IntegrityError: there is such a one.
    """
    for model, it in traced.items():
        wrong = [line for line in it["unproved"] if "is no signature of" in line]
        if wrong:
            raise IntegrityError(
                f"{device} serves a release of {model} that is not what was signed: {wrong[0]}",
                hint=f"look at it: edgeflow device history {device}; then deploy again",
            )
