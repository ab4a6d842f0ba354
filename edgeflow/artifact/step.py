"""How every building step runs: key, scratch folder, outputs, manifest, event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from edgeflow.artifact.atomic import staged
from edgeflow.artifact.cpu import Extent, kind
from edgeflow.artifact.entry import describe
from edgeflow.artifact.events import ElsewhereError, recorded
from edgeflow.artifact.hashing import sha256_file, sha256_json
from edgeflow.artifact.manifest import Manifest, describe_files, read_manifest, tool_versions
from edgeflow.artifact.sources import Sources
from edgeflow.artifact.store import empty
from edgeflow.artifact.tiers import current_cache
from edgeflow.errors import IntegrityError


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """Some of what a manifest lists: a step that reads no more depends on no more.

    Attributes:
        manifest: the manifest.
        names: files it lists.
        facts: facts it holds.
    """

    manifest: Path
    names: tuple[str, ...]
    facts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepSpec:
    """All that a step's output may depend on.

    Attributes:
        step: ``dataset``, ``train``, ``compress``, ``compile`` or ``bundle``.
        name: what is built, for messages and events, for example ``digits-cnn/int8``.
        inputs: name to file; the bytes count, not the path. A manifest stands for the files
            and facts it lists, not for how they came about. `Sources` are read before the step
            and looked at again after it.
        slice: the resolved slice of the configuration.
        code: fingerprint of the step's code.
        tools: distributions whose version shapes the output.
        toolchain: by name, version or digest of other tools that shape the output.
        manifest: file name of the manifest in the output folder.
        cpu: what of the CPU the output depends on.
    """

    step: str
    name: str
    inputs: Mapping[str, Path | Files | Sources]
    slice: Mapping[str, JsonValue]
    code: str
    tools: tuple[str, ...] = ()
    toolchain: Mapping[str, str] = field(default_factory=dict)
    manifest: str = "manifest.json"
    cpu: Extent = "held"


_BUILDS = {"here": True}
MANIFESTS = frozenset({"manifest.json", "compile.json"})

Build = Callable[[Path], Mapping[str, object]]
"""Writes the outputs into the folder it is given and returns the manifest's facts."""


def only_look_up() -> None:
    """Let the steps of this process take what the store has, and build nothing."""
    _BUILDS["here"] = False


def content_digest(path: Path | Files | Sources) -> str:
    """Return the digest of a file's bytes, of a source, or of what a manifest says was made.

    Raises:
        IntegrityError: the file is not there.
    """
    if isinstance(path, Sources):
        return path.read()
    if isinstance(path, Files):
        listed = read_manifest(path.manifest)
        files = {name: listed.files[name].sha256 for name in path.names}
        return sha256_json(
            {"files": files, "facts": {name: listed.facts[name] for name in path.facts}}
        )
    if not path.is_file():
        raise IntegrityError(
            f"{path} is not there; an earlier step makes it", hint="run `edgeflow run`"
        )
    if path.name not in MANIFESTS:
        return sha256_file(path)
    manifest = read_manifest(path)
    return sha256_json(manifest.model_dump(mode="json", include={"files", "facts"}))


def run_step(spec: StepSpec, out: Path, build: Build) -> Manifest:
    """Take the step's files from the store, or run `build`, and publish them into `out`.

    `build` works in a scratch folder; after an error `out` is as it was before. The event names
    the step's key, the digest of everything in `spec` that can change the output, and whether
    the store had it.

    Raises:
        IntegrityError: a source changed since the job was planned, or while it was read.
        ElsewhereError: after `only_look_up`, the store has it not.
    """
    with recorded(spec.step, spec.name) as event:
        identity = identify(spec)
        key = sha256_json(identity)
        event.facts.update(key=key, store="off")
        with staged(out, spec.manifest) as scratch:
            store = current_cache()
            if store is not None:
                hit = store.fetch(key, scratch)
                if hit is not None and spec.manifest not in hit.files:  # not what this step makes
                    empty(scratch)
                    hit = None
                event.facts["store"] = "miss" if hit is None else "hit"
                if hit is not None:
                    _unlink_from_store(scratch / spec.manifest)
                    return read_manifest(scratch / spec.manifest)
            if not _BUILDS["here"]:
                raise ElsewhereError
            manifest = _build(spec, identity, build, scratch)
            for source in spec.inputs.values():
                if isinstance(source, Sources):
                    source.check()
            if store is not None:
                store.put(describe(spec.name, identity, scratch), scratch)
                _unlink_from_store(scratch / spec.manifest)
    return manifest


def identify(spec: StepSpec) -> dict[str, Any]:
    """Return everything that can change the step's output, as JSON."""
    return {
        "step": spec.step,
        "inputs": {name: content_digest(path) for name, path in sorted(spec.inputs.items())},
        "slice": dict(spec.slice),
        "code": spec.code,
        # Kernels compute other bits on another kind of CPU, and a store may be shared.
        "tools": {
            "machine": kind(spec.cpu),
            **tool_versions(spec.tools),
            **spec.toolchain,
        },
    }


def _unlink_from_store(path: Path) -> None:
    """Give a file an inode, and so a time, of its own.

    Snakemake overlooks an input that is older than all outputs of a job. Hard links alone would
    let a build in another checkout, which takes the same from the store, make all of them newer.
    """
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)


def _build(spec: StepSpec, identity: Mapping[str, Any], build: Build, scratch: Path) -> Manifest:
    facts = build(scratch)
    manifest = Manifest(**identity, files=describe_files(scratch), facts=dict(facts))
    manifest.write(scratch / spec.manifest)
    return manifest
