"""The form in which a bundle travels over real SSH: packed where the device can unpack it."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.packed import packed_path
from edgeflow.deploy.deploy import deploy
from edgeflow.deploy.release import connect
from edgeflow.errors import DeployError, UnreachableError
from edgeflow.remote.virtual.layout import Address
from edgeflow.testing.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab

MakeBundle = Callable[..., Path]
WEIGHTS = bytes(random.Random(7).choices(range(4), k=2_000_000))
"""Two bits of information in each byte."""

KINDS = {"module": "zstandard", "program": "zstd", "neither": None}
"""What a device unpacks by, and what it says about that."""


def slice_of(lab: "Lab", pi: Address, kind: str) -> dict[str, Any]:
    """Return a deploy step's slice for a device of a kind."""
    if kind == "module":
        return lab.slice(pi)
    program = shutil.which("zstd")
    if kind == "program" and program is None:
        pytest.skip("needs the program zstd: sudo apt-get install -y zstd")
    path = Path(program).parent if kind == "program" and program else Path("/nowhere")
    return lab.slice(pi, python=lab.bare_python(pi, path))


def installed(lab: "Lab", pi: Address) -> dict[str, bytes]:
    """Return the model of each release."""
    releases = lab.root(pi) / "edgeflow" / "net" / "releases"
    return {path.name: (path / "data/model.tflite").read_bytes() for path in releases.iterdir()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_gets_what_it_can_unpack(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path, kind: str
) -> None:
    pi, bundle = lab.device(), make_bundle(WEIGHTS, pack=True)
    slice_, out = slice_of(lab, pi, kind), tmp_path / "deploy.json"
    record = deploy(bundle, slice_, "code", out)
    form, sent = ("tar", bundle) if kind == "neither" else ("tar.zst", packed_path(bundle))
    assert (record["sent_form"], record["sent_bytes"]) == (form, sent.stat().st_size)
    assert packed_path(bundle).stat().st_size < 0.3 * bundle.stat().st_size
    assert installed(lab, pi) == {sha256_file(bundle): WEIGHTS}
    again = deploy(bundle, slice_, "code", out)
    assert (again["changed"], again["sent_form"], again["sent_bytes"]) == (True, None, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_says_by_what_it_unpacks(lab: "Lab", kind: str) -> None:
    pi = lab.device()
    changes = slice_of(lab, pi, kind)["device"]
    with connect(lab.endpoint(pi, **changes)) as device:
        assert device.status("net").zstd == KINDS[kind]


@pytest.mark.parametrize("packed_file", ["none", "no smaller"])
def test_without_a_smaller_packed_form_the_tar_is_sent(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path, packed_file: str
) -> None:
    pi, bundle = lab.device(), make_bundle(WEIGHTS)
    if packed_file != "none":
        packed_path(bundle).write_bytes(bundle.read_bytes() + b"x")
    record = deploy(bundle, lab.slice(pi), "code", tmp_path / "deploy.json")
    assert (record["sent_form"], record["sent_bytes"]) == ("tar", bundle.stat().st_size)


@pytest.mark.parametrize("kind", ["module", "program"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "other"])
def test_a_corrupt_packed_bundle_is_refused_and_the_old_release_stays(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path, kind: str, damage: str
) -> None:
    pi, old, new = lab.device(), make_bundle(b"old"), make_bundle(WEIGHTS, pack=True)
    slice_ = slice_of(lab, pi, kind)
    deploy(old, slice_, "code", tmp_path / "old.json")
    whole = packed_path(new).read_bytes()
    other = packed_path(make_bundle(WEIGHTS[::-1], pack=True)).read_bytes()
    flipped = whole[:5000] + bytes([whole[5000] ^ 255]) + whole[5001:]
    packed_path(new).write_bytes({"cut": whole[:-99], "flipped": flipped, "other": other}[damage])
    with pytest.raises(DeployError, match="refuses to install: corrupt"):
        deploy(new, slice_, "code", tmp_path / "new.json")
    assert installed(lab, pi) == {sha256_file(old): b"old"}
    assert not (tmp_path / "new.json").exists()
    assert list((lab.root(pi) / "edgeflow" / "net" / "incoming").iterdir()) == []
    packed_path(new).write_bytes(whole)
    deploy(new, slice_, "code", tmp_path / "new.json")
    assert installed(lab, pi) == {sha256_file(old): b"old", sha256_file(new): WEIGHTS}


@pytest.mark.parametrize("then", ["module", "neither"])
def test_a_packed_transfer_that_breaks_is_made_good_in_either_form(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path, then: str
) -> None:
    pi, old, new = lab.device(), make_bundle(b"old"), make_bundle(WEIGHTS, pack=True)
    deploy(old, lab.slice(pi), "code", tmp_path / "old.json")
    half = packed_path(new).stat().st_size // 2
    with FaultProxy(pi.port, "reset", after_bytes=half) as proxy:
        broken = lab.slice(pi, port=proxy.port, timeout_s=1)
        with pytest.raises(UnreachableError, match=r"sending \w+\.tar\.zst"):
            deploy(new, broken, "code", tmp_path / "new.json")
    assert installed(lab, pi) == {sha256_file(old): b"old"}
    record = deploy(new, slice_of(lab, pi, then), "code", tmp_path / "new.json")
    assert record["sent_form"] == ("delta" if then == "neither" else "tar.zst")
    assert installed(lab, pi) == {sha256_file(old): b"old", sha256_file(new): WEIGHTS}
    assert list((lab.root(pi) / "edgeflow" / "net" / "incoming").iterdir()) == []
