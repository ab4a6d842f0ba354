"""Deltas: a device that holds most of a bundle is sent the rest, and makes the same bytes of it."""

import hashlib
import io
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.packed import packed
from edgeflow.bundle.archive import write_tar
from edgeflow.deploy.deploy import deploy
from edgeflow.deploy.parcel import parcels
from edgeflow.errors import UnreachableError
from edgeflow.ondevice.agent import delta
from edgeflow.ondevice.agent.model import Model
from edgeflow.ondevice.agent.ustar import header
from edgeflow.testing.fault_proxy import FaultProxy
from tests.unit.deploy.conftest import RUNNER
from tests.unit.packed import members

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Call, Lab

MakeBundle = Callable[..., Path]
WEIGHTS = random.Random(7).randbytes(400_000)
MORE = RUNNER + b"# " + random.Random(8).randbytes(300_000).hex().encode() + b"\n"
"""A runner of some size, so that it matters whether it is sent."""

NAMES = [
    "a", "model/weights.bin", "n" * 100, "folder/" + "n" * 100, "f" * 155 + "/" + "n" * 100,
    "/".join(["part"] * 30), "größe/模型.npy", "ü" * 50, "d/" * 40 + "ü" * 40,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [0, 1, 511, 512, 8**11 - 1])
def test_headers_are_those_of_the_host(name: str, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    assert header(name, size) == info.tobuf(tarfile.USTAR_FORMAT, "utf-8")


@pytest.mark.parametrize(("name", "size"), [("n" * 101, 0), ("a", 8**11), ("/" + "n" * 101, 0)])
def test_what_the_format_has_no_room_for_is_refused(name: str, size: int) -> None:
    with pytest.raises(ValueError, match="tar"):
        header(name, size)


@pytest.fixture
def old(make_bundle: MakeBundle, call: "Call", folder: Path) -> Path:
    """A bundle that the device has."""
    bundle = make_bundle(b"old weights", runner=MORE)
    sha = sha256_file(bundle)
    shutil.copy(bundle, folder / "incoming" / f"{sha}.part")
    assert call("install", sha)[0] == 0
    return bundle


def delta_of(bundle: Path, call: "Call") -> tuple[str, bytes]:
    """Return a bundle's digest, and what the device lacks of it as its agent says."""
    sha = sha256_file(bundle)
    ready = call("prepare", sha, "3")[1]
    with parcels(bundle, ready["held"], zstd=False) as (_, parcel):
        return sha, parcel.path.read_bytes()


def upload(folder: Path, sha: str, data: bytes) -> tuple[str, ...]:
    """Put a delta where its upload ends; return how to install it."""
    (folder / "incoming" / f"{sha}.delta.part").write_bytes(data)
    return sha, "--form", "delta"


def test_a_delta_becomes_the_very_release(
    call: "Call", folder: Path, make_bundle: MakeBundle, old: Path
) -> None:
    new = make_bundle(WEIGHTS, runner=MORE)
    sha, sent = delta_of(new, call)
    with tarfile.open(fileobj=io.BytesIO(sent)) as archive:
        assert archive.getnames() == ["manifest.json", "data/model.tflite"]
    delta_path, made = folder / "delta", folder / "made"
    delta_path.write_bytes(sent)
    delta.build_tar(Model(str(folder)), str(delta_path), str(made))
    assert made.read_bytes() == new.read_bytes()
    code, answer = call("install", *upload(folder, sha, sent))
    assert (code, answer["installed"], answer["changed"]) == (0, sha, True)
    assert (folder / "releases" / sha / "runner.py").read_bytes() == MORE
    assert not list((folder / "incoming").iterdir())
    (folder / "incoming" / f"{sha}.delta.zst.part").write_bytes(packed(sent))
    shutil.rmtree(folder / "releases" / sha)
    how = ("--form", "delta.zst", "--packed-from", str(len(sent)))
    code, answer = call("install", sha, *how)
    assert (code, answer["installed"], answer["changed"]) == (0, sha, True)


def test_a_signature_is_part_of_the_tar(
    call: "Call", folder: Path, make_bundle: MakeBundle, old: Path
) -> None:
    bundle, signed = make_bundle(WEIGHTS, runner=MORE), folder / "signed.tar"
    content = members(bundle)
    manifest = content.pop("manifest.json")
    write_tar(signed, {"manifest.json": manifest, "manifest.json.sig": b"signed", **content})
    _, sent = delta_of(signed, call)
    (folder / "delta").write_bytes(sent)
    delta.build_tar(Model(str(folder)), str(folder / "delta"), str(folder / "made"))
    assert (folder / "made").read_bytes() == signed.read_bytes()


def cut(bundle: bytes) -> bytes:
    return bundle[: len(bundle) // 2]


def other_content(bundle: bytes) -> bytes:
    at = bundle.index(WEIGHTS[:100])
    return bundle[:at] + b"other" + bundle[at + 5 :]


def with_more(bundle: bytes) -> bytes:
    buffer = io.BytesIO(bundle)
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        archive.addfile(tarfile.TarInfo("../evil"))
    return buffer.getvalue()


@pytest.mark.parametrize("spoil", [cut, other_content, with_more, lambda delta: b"no tar" * 99])
def test_a_bad_delta_is_refused_and_removed(
    call: "Call",
    folder: Path,
    make_bundle: MakeBundle,
    old: Path,
    spoil: Callable[[bytes], bytes],
) -> None:
    sha, sent = delta_of(make_bundle(WEIGHTS, runner=MORE), call)
    code, answer = call("install", *upload(folder, sha, spoil(sent)))
    assert (code, answer["error"]) == (65, "corrupt")
    assert not list((folder / "incoming").iterdir())
    assert call("status")[1]["releases"] == [sha256_file(old)]
    assert call("verify", sha256_file(old))[0] == 0
    assert not list(folder.parent.rglob("evil"))


@pytest.mark.parametrize("fault", ["changed", "gone", "a link"])
def test_a_file_to_copy_must_be_what_it_was(
    call: "Call", folder: Path, make_bundle: MakeBundle, old: Path, fault: str
) -> None:
    sha, sent = delta_of(make_bundle(WEIGHTS, runner=MORE), call)
    runner = folder / "releases" / sha256_file(old) / "runner.py"
    runner.unlink()
    if fault == "changed":
        runner.write_bytes(MORE[:-1] + b"x")
    if fault == "a link":
        (folder / "copy").write_bytes(MORE)
        runner.symlink_to(folder / "copy")
    code, answer = call("install", *upload(folder, sha, sent))
    assert (code, answer["error"]) == (70, "absent")
    assert "runner.py" in answer["detail"]
    assert not list((folder / "incoming").iterdir())


def test_a_doubted_release_gives_only_what_is_whole(call: "Call", folder: Path, old: Path) -> None:
    sha = sha256_file(old)
    model = folder / "releases" / sha / "data" / "model.tflite"
    model.chmod(0o644)
    model.write_bytes(b"odd weights")
    assert call("prepare", sha, "3")[1]["held"] == [hashlib.sha256(MORE).hexdigest()]


def test_only_what_changed_is_sent(lab: "Lab", make_bundle: MakeBundle, tmp_path: Path) -> None:
    pi, new = lab.device(), make_bundle(b"new" * 1000, runner=MORE)
    lab.serve(pi, make_bundle(b"old" * 1000, runner=MORE))
    bare = lab.slice(pi, python=lab.bare_python(pi, Path("/nowhere")))
    record = deploy(new, bare, "code", tmp_path / "new.json")
    assert record["sent_form"] == "delta"
    assert record["sent_bytes"] < 7000 < 600_000 < new.stat().st_size
    assert lab.serve(pi, new) == sha256_file(new)
    last = make_bundle(b"next" * 1000, runner=MORE, pack=True)
    record = deploy(last, lab.slice(pi), "code", tmp_path / "last.json")
    assert record["sent_form"] == "delta.zst"
    assert record["sent_bytes"] < 1000


def test_a_delta_that_was_cut_goes_on(lab: "Lab", make_bundle: MakeBundle, tmp_path: Path) -> None:
    pi, new = lab.device(), make_bundle(random.Random(9).randbytes(2_000_000), runner=MORE)
    old = lab.serve(pi, make_bundle(WEIGHTS, runner=MORE))
    with FaultProxy(pi.port, "reset", after_bytes=1_500_000) as proxy:
        broken = lab.slice(pi, port=proxy.port, timeout_s=5)
        with pytest.raises(UnreachableError, match=r"sending \w+\.delta"):
            deploy(new, broken, "code", tmp_path / "new.json")
    assert lab.current(pi) == old
    incoming = lab.root(pi) / "edgeflow" / "net" / "incoming"
    (part,) = incoming.iterdir()
    assert part.name.endswith((".delta.part", ".delta.zst.part"))
    there = part.stat().st_size
    record = deploy(new, lab.slice(pi), "code", tmp_path / "new.json")
    assert record["sent_form"].startswith("delta")
    assert record["sent_bytes"] <= 2_010_000 - there
    assert not list(incoming.iterdir())


def test_where_a_file_to_copy_was_damaged_all_is_sent(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pi, new = lab.device(), make_bundle(b"new", runner=MORE)
    old = lab.serve(pi, make_bundle(b"old", runner=MORE))
    runner = lab.root(pi) / "edgeflow" / "net" / "releases" / old / "runner.py"
    runner.chmod(0o644)
    runner.write_bytes(MORE[:-2] + b"x\n")
    record = deploy(new, lab.slice(pi), "code", tmp_path / "new.json")
    assert record["sent_form"] == "tar"
    assert record["sent_bytes"] > new.stat().st_size
    assert "sending all of it" in capsys.readouterr().err
