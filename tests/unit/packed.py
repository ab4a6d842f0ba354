"""The tiny network, compiled and packed as the steps do it."""

import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgeflow.artifact.manifest import Manifest
from edgeflow.bundle.archive import read_member
from edgeflow.bundle.pack import MadeFrom, Sign, pack_bundle
from edgeflow.targets import registry
from edgeflow.targets.base import parse_options
from edgeflow.targets.build import compile_model
from edgeflow.testing.trained import Trained


def target_options(kind: str, **options: Any) -> dict[str, Any]:
    target = registry.get(kind)
    return parse_options(target, {"kind": kind, **options}).model_dump(mode="json")


def compile_tiny(trained: Trained, kind: str, quantize: str, out: Path, **target: Any) -> Manifest:
    slice_ = {"target": target_options(kind, **target)}
    name = f"{kind}/tiny/{quantize}"
    return compile_model(name, trained.dataset, trained.recipe(quantize), slice_, "0", out)


def pack_tiny(
    trained: Trained,
    kind: str,
    quantize: str,
    out: Path,
    *,
    origin: MadeFrom | None = None,
    sign: Sign | None = None,
    signing: Mapping[str, Any] = MappingProxyType({}),
    **target: Any,
) -> Manifest:
    """Pack what `compile_tiny` left in `out`, into the same folder.

    Args:
        signing: what the step's slice says besides.
    """
    slice_ = {"model": "tiny", "recipe": quantize, "target": target_options(kind, **target)}
    name = f"{kind}/tiny/{quantize}"
    return pack_bundle(name, trained.dataset, out, {**slice_, **signing}, "0", out, origin, sign)


def members(bundle: Path) -> dict[str, bytes]:
    """Return a bundle's members in their order."""
    with tarfile.open(bundle) as archive:
        return {name: read_member(bundle, name) for name in archive.getnames()}


def unpack(bundle: Path, folder: Path) -> Path:
    """Unpack a bundle and return its folder."""
    for name, data in members(bundle).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
