"""How every building step runs: key, scratch folder, outputs, manifest, event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from edgeflow.artifact.atomic import staged
from edgeflow.artifact.events import recorded
from edgeflow.artifact.hashing import sha256_file, sha256_json
from edgeflow.artifact.manifest import Manifest, describe_files, read_manifest, tool_versions
from edgeflow.errors import IntegrityError


@dataclass(frozen=True, kw_only=True, slots=True)
class StepSpec:
    """All that a step's output may depend on.

    Attributes:
        step: ``dataset``, ``train``, ``compress``, ``compile`` or ``bundle``.
        name: what is built, for messages and events, for example ``digits-cnn/int8``.
        inputs: name to file; the bytes count, not the path. A manifest stands for the files
            and facts it lists, not for how they came about.
        options: the resolved slice of the configuration.
        code: fingerprint of the step's code.
        tools: distributions whose version shapes the output.
        manifest: file name of the manifest in the output folder.
    """

    step: str
    name: str
    inputs: Mapping[str, Path]
    options: Mapping[str, JsonValue]
    code: str
    tools: tuple[str, ...] = ()
    manifest: str = "manifest.json"


MANIFESTS = frozenset({"manifest.json", "compile.json"})

Build = Callable[[Path], Mapping[str, object]]
"""Writes the outputs into the folder it is given and returns the manifest's facts."""


def content_digest(path: Path) -> str:
    """Return the digest of a file's bytes, or of what a manifest says was made.

    Raises:
        IntegrityError: the file is not there.
    """
    if not path.is_file():
        raise IntegrityError(
            f"{path} is not there; an earlier step makes it", hint="run `snakemake`"
        )
    if path.name not in MANIFESTS:
        return sha256_file(path)
    manifest = read_manifest(path)
    return sha256_json(manifest.model_dump(mode="json", include={"files", "facts"}))


def run_step(spec: StepSpec, out: Path, build: Build) -> Manifest:
    """Run `build` in a scratch folder and publish its files into `out` with a manifest.

    After an error `out` is as it was before. The event names the step's key: the digest of
    everything in `spec` that can change the output.
    """
    inputs = {name: content_digest(path) for name, path in sorted(spec.inputs.items())}
    tools = tool_versions(spec.tools)
    identity = {"inputs": inputs, "options": spec.options, "code": spec.code, "tools": tools}
    with recorded(spec.step, spec.name) as event, staged(out, spec.manifest) as scratch:
        event.facts["key"] = sha256_json({"step": spec.step, **identity})
        facts = build(scratch)
        manifest = Manifest(
            step=spec.step,
            inputs=inputs,
            options=dict(spec.options),
            code=spec.code,
            tools=tools,
            files=describe_files(scratch),
            facts=dict(facts),
        )
        manifest.write(scratch / spec.manifest)
    return manifest
