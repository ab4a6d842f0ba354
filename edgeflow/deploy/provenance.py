"""What a device runs, traced to its data and code by the signed manifest and the results here."""

import hashlib
import json
import posixpath
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgeflow import paths
from edgeflow.artifact.manifest import Manifest, read_manifest, verify_files
from edgeflow.artifact.step import Files, content_digest
from edgeflow.bundle.manifest import MANIFEST, SIGNATURE, BundleManifest, Provenance
from edgeflow.bundle.signing import require_signature
from edgeflow.dataset.view import part_files
from edgeflow.deploy.release import OpenDevice
from edgeflow.errors import DeployError, EdgeflowError, IntegrityError
from edgeflow.ondevice.agent.manifest import MANIFEST_MAX_BYTES
from edgeflow.ondevice.agent.signature import SIGNATURE_MAX_BYTES

State = Literal["here", "other", "missing"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """What a device holds of the release in use.

    Attributes:
        sha256: of the bundle, as the device names the release.
        manifest: its bytes.
        signature: the detached one; None if the release has none.
        signed_by: the name that the device gives the signer; None where it asks for none.
        damage: why the device finds its files changed; empty if it finds them whole.
    """

    sha256: str
    manifest: bytes
    signature: bytes | None
    signed_by: str | None
    damage: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A step that the bundle was made by, and what is here of it.

    Attributes:
        step: of the build.
        manifest: where its manifest lies here.
        digest: what the bundle's manifest says that the step made.
        state: ``here`` if the manifest here says the same, ``other`` if not.
        as_built: whether the files here are those that it lists.
        code: fingerprint of the code that made them, as the manifest here says.
        same_code: whether that is the code of this checkout; None if that is not asked.
        tools: versions, as the manifest here says.
    """

    step: str
    manifest: str
    digest: str
    state: State
    as_built: bool = False
    code: str | None = None
    same_code: bool | None = None
    tools: Mapping[str, str] = field(default_factory=dict)


def served(device: OpenDevice, model: str) -> Served | None:
    """Fetch manifest and signature of the release in use; None if there is none.

    Raises:
        DeployError: the device does not give the manifest.
    """
    status = device.status(model)
    if status.current is None:
        return None
    damage = ""
    try:
        device.verify(model, status.current)
    except DeployError as error:
        damage = error.message
    folder = posixpath.join(device.model_dir(model), "releases", status.current)
    with tempfile.TemporaryDirectory() as scratch:
        manifest, signature = Path(scratch) / MANIFEST, Path(scratch) / SIGNATURE
        device.fetch(posixpath.join(folder, MANIFEST), manifest, MANIFEST_MAX_BYTES)
        with suppress(DeployError):  # it has none
            device.fetch(posixpath.join(folder, SIGNATURE), signature, SIGNATURE_MAX_BYTES)
        return Served(
            sha256=status.current,
            manifest=manifest.read_bytes(),
            signature=signature.read_bytes() if signature.is_file() else None,
            signed_by=status.signed_by,
            damage=damage,
        )


def read(found: Served, title: str) -> BundleManifest:
    """Return the manifest that a device sent.

    Raises:
        IntegrityError: it is none.
    """
    try:
        return BundleManifest.model_validate(json.loads(found.manifest))
    except ValueError as error:
        raise IntegrityError(
            f"{title} serves release {found.sha256[:12]}, whose manifest is not one of this "
            f"version's: {error}",
            hint="deploy again: `edgeflow run`",
        ) from error


def doubts(found: Served, public: str | None) -> Iterator[str]:
    """Yield why the signature does not prove what the manifest says; nothing if it does."""
    if found.signature is None:
        yield "who made it: the release on the device is not signed"
    elif public is None:
        yield "who made it: no `signing:` of the configuration names the key to verify it by"
    else:
        try:
            require_signature(found.manifest, found.signature, public, "the signature there")
        except IntegrityError as error:
            yield f"who made it: {error.message}"
    if found.damage:
        yield f"that its files are those of the manifest: {found.damage}"


def chain(
    made: Provenance, names: Mapping[str, str], results: Path, codes: Mapping[str, str]
) -> list[Link]:
    """Hold the digests of a bundle's manifest against the manifests here.

    Args:
        made: what the bundle's manifest says.
        names: values of the wildcards of the results.
        results: folder of the results here.
        codes: fingerprint of each step's code in this checkout, by the name of the step.
    """
    folders = {
        "dataset": (paths.DATASET, made.dataset),
        "training": (paths.BASELINE, made.training),
        "recipe": (paths.RECIPE, made.recipe),
        "compile": (paths.COMPILED, made.compile),
    }
    links = []
    for step, (pattern, digest) in folders.items():
        name = "compile.json" if step == "compile" else MANIFEST
        path = results / pattern.format(**names) / name
        what: Path | Files = path
        if step == "dataset":
            what = part_files(path.parent, tuple(made.parts), "decoding")
        links.append(_link(step, path, what, digest, codes.get(step)))
    return links


def _link(step: str, path: Path, what: Path | Files, digest: str, code: str | None) -> Link:
    asked: dict[str, Any] = {"step": step, "manifest": str(path), "digest": digest}
    try:
        record, here = read_manifest(path), content_digest(what)
    except (EdgeflowError, KeyError):
        return Link(**asked, state="missing")
    if here != digest:
        return Link(**asked, state="other")
    return Link(
        **asked,
        state="here",
        as_built=_as_built(path, record, what),
        code=record.code,
        same_code=None if code is None else code == record.code,
        tools=record.tools,
    )


def _as_built(path: Path, record: Manifest, what: Path | Files) -> bool:
    names = list(what.names) if isinstance(what, Files) else list(record.files)
    try:
        verify_files(path, names)
    except IntegrityError:
        return False
    return True


def gaps(links: list[Link]) -> Iterator[str]:
    """Yield what the results here do not prove of a chain."""
    for link in links:
        if link.state == "missing":
            yield f"the {link.step}: {link.manifest} is not here"
        elif link.state == "other":
            yield f"the {link.step}: {link.manifest} is that of another build"
        elif not link.as_built:
            yield f"the {link.step}: files beside {link.manifest} were changed or removed"
    if any(link.state == "here" for link in links):
        yield (
            "the code alone: other code may make the same bytes, so manifests here say which did; "
            "a build of that code without a store proves it by the same bundle"
        )


def digest_of(manifest: bytes) -> str:
    """Return the digest of a manifest, which its signature stands for."""
    return hashlib.sha256(manifest).hexdigest()
