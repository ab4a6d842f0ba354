"""What a bundle on this machine is: for people, and byte by byte."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeflow.artifact.hashing import sha256_file
from edgeflow.bundle.manifest import (
    MANIFEST,
    SIGNATURE,
    BundleManifest,
    manifest_bytes,
    read_bundle,
    signature_in,
)
from edgeflow.bundle.signing import fingerprint, require_signature
from edgeflow.errors import IntegrityError
from edgeflow.ondevice.agent.answer import Refused
from edgeflow.ondevice.agent.files import read_plain
from edgeflow.ondevice.agent.manifest import MANIFEST_MAX_BYTES, listed_files
from edgeflow.ondevice.agent.signature import fingerprint as blob_fingerprint
from edgeflow.ondevice.agent.sshsig import Signature, Unreadable, key_of
from edgeflow.ondevice.agent.ustar import BLOCK_BYTES, END, described, header, members, padding


def manifest_in(file: Path) -> bytes:
    """Return the manifest of a bundle, or that which a file holds.

    Raises:
        IntegrityError: it is neither a bundle nor its manifest.
    """
    try:
        data = manifest_bytes(file) if _begins_a_tar(file) else _plain(file)
        listed_files(data)
    except (KeyError, OSError, Refused) as error:
        raise IntegrityError(
            f"{file} is neither a bundle nor the manifest of one: {error}",
            hint="name a bundle.tar, or a file of the folder `signing.signatures`",
        ) from error
    return data


def _begins_a_tar(file: Path) -> bool:
    with file.open("rb") as head, contextlib.suppress(Refused):
        described(head.read(BLOCK_BYTES))
        return True
    return False


def _plain(file: Path) -> bytes:
    return read_plain(str(file), MANIFEST_MAX_BYTES)


def facts_of(bundle: Path) -> dict[str, Any]:
    """Return what a bundle says of itself; nothing is verified."""
    manifest, signature = _manifest_of(bundle), signature_in(bundle)
    names = ("model", "recipe", "target", "counter", "device_class", "provenance")
    said = manifest.model_dump(mode="json", include=set(names))
    return {
        "sha256": sha256_file(bundle),
        "manifest_sha256": hashlib.sha256(manifest_bytes(bundle)).hexdigest(),
        **{name: said[name] for name in names},
        "signature": _said_by(signature) if signature is not None else None,
        "files": {name: record.size_bytes for name, record in manifest.files.items()},
    }


def _said_by(signature: bytes) -> dict[str, str]:
    try:
        found = Signature(signature)
        kind, _ = key_of(found.key)
    except Unreadable as error:
        return {"unusable": str(error)}
    return {"kind": kind, "key": blob_fingerprint(found.key), "namespace": found.namespace}


def lines_of(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that tell people what `facts_of` found."""
    yield f"{facts['model']}/{facts['recipe']} for {facts['target']['kind']}"
    yield f"  bundle: {facts['sha256']}"
    yield f"  manifest: {facts['manifest_sha256']}"
    yield f"  counter: {facts['counter']}"
    yield f"  machines: {', '.join(facts['device_class']['machines']) or 'any'}"
    for name, value in (facts["provenance"] or {}).items():
        yield f"  {name}: {', '.join(value) if isinstance(value, list) else value}"
    signature = facts["signature"]
    said = (
        "; ".join(f"{name} {value}" for name, value in signature.items()) if signature else "none"
    )
    yield f"  signature: {said}"
    for name, size_bytes in facts["files"].items():
        yield f"  {name}: {size_bytes} bytes"


def verify_bundle(bundle: Path, public: str | None) -> str:
    """Check every byte of a bundle, and its signature if there is a key; return what holds.

    Raises:
        IntegrityError: the bundle is not what its manifest says, or the key has not signed that.
    """
    manifest, signature = _manifest_of(bundle), signature_in(bundle)
    _require_files(bundle, manifest)
    if public is None:
        return "whole; no key is named that must have signed it"
    if signature is None:
        raise IntegrityError(
            f"{bundle} is not signed", hint="run `edgeflow run`, which signs by `signing: {key: …}`"
        )
    require_signature(manifest_bytes(bundle), signature, public, f"{SIGNATURE} in {bundle}")
    return f"whole, and signed by {fingerprint(public)}"


def _require_files(bundle: Path, manifest: BundleManifest) -> None:
    """Refuse a bundle of which a file is not as listed, or a byte belongs to no file."""
    found, whole = _hashed(bundle)
    wrong = (found.keys() ^ {MANIFEST, *manifest.files}) - {SIGNATURE}
    for name, record in manifest.files.items():
        if name in found and found[name] != record.sha256:
            wrong.add(name)
    if wrong:
        raise _changed(bundle, f"is not what its manifest says: {', '.join(sorted(wrong))}")
    if whole != sha256_file(bundle):
        raise _changed(bundle, "is not as it was packed: it has bytes that belong to no file")


def _hashed(bundle: Path) -> tuple[dict[str, str], str]:
    """Return the digest of each member, and that of a tar which holds them and nothing else."""
    found: dict[str, str] = {}
    whole = hashlib.sha256()
    try:
        with bundle.open("rb") as tar:
            for member in members(tar):
                if member.name in found:
                    raise Refused("corrupt", f"{member.name!r} is there twice")
                whole.update(header(member.name, member.size))
                digest = hashlib.sha256()
                for block in member.blocks:
                    digest.update(block)
                    whole.update(block)
                whole.update(padding(member.size))
                found[member.name] = digest.hexdigest()
    except (Refused, OSError) as error:
        raise _changed(bundle, f"is damaged: {error}") from error
    whole.update(END)
    return found, whole.hexdigest()


def _changed(bundle: Path, how: str) -> IntegrityError:
    return IntegrityError(f"{bundle} {how}", hint="copy it again from where it was built")


def _manifest_of(bundle: Path) -> BundleManifest:
    """Read the manifest of a file that somebody named, which need not be of a build here."""
    try:
        return read_bundle(bundle)
    except IntegrityError as error:
        raise IntegrityError(error.message, hint="name the bundle.tar of a build") from error
