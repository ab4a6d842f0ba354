"""The agent against hostile input: none activates, none crashes it, none leads out.

`EDGEFLOW_SWEEP=1` takes more of them, other ones each time.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from edgeflow.artifact.packed import packed
from edgeflow.bundle import look as look_at
from edgeflow.bundle.signing import allowed_signer
from edgeflow.deploy.agent_answer import Kind
from edgeflow.errors import IntegrityError
from edgeflow.ondevice import agent
from edgeflow.ondevice.agent import hand_over, ustar
from edgeflow.ondevice.agent.answer import EXIT_CODES, Refused
from edgeflow.ondevice.agent.boot import LONGEST_S
from edgeflow.ondevice.agent.journal import sound_pending
from edgeflow.ondevice.agent.signature import NAMESPACE
from edgeflow.ondevice.agent.sshsig import string
from edgeflow.ondevice.agent.uploads import upload_name
from tests.unit.deploy.test_signature import SIGNER, armored, line, new_key
from tests.unit.deploy.trials import IN_TIME, in_this_process, put_in_use

SWEEP = "EDGEFLOW_SWEEP" in os.environ
INPUTS = 10_000 if SWEEP else 300
KINDS = get_args(Kind)
FILES = {"runner.py": b"pass\n", "data/model": bytes(range(256)) * 5}
FOREIGN = new_key("ed25519")
OWN = "0" * 16
"""Name of an uploader."""

NAMES = st.sampled_from(
    ["../x", "/tmp/edgeflow-evil", "a/../../x", "runner.py", "runner.py/x", "data", "", ".",
     "manifest.json", "manifest.json.sig", "nul\0", "half \ud800", "a\x1b]0;b\x07", "x" * 300,
     "d/" * 200 + "x", "data/model", "neu/größe"],
)  # fmt: skip
ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, -1, 2**63, 10**400, 1e308, float("nan"), "", "\ud800", [], {}]),
    st.lists(NAMES, max_size=2),
    NAMES,
    st.dictionaries(NAMES, st.none(), max_size=2),
)
TYPES = st.sampled_from([bytes([kind]) for kind in b"0\x0012345678xgLKSDVX9"])


def manifest_of(files: dict[str, bytes], **more: Any) -> dict[str, Any]:
    """Return a manifest that lists files."""
    listed = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for name, data in files.items()
    }
    return {"format": 1, "model": "net", "counter": 5, "files": listed, **more}


GOOD = json.dumps(manifest_of(FILES)).encode()


def tar_of(members: dict[str, bytes]) -> bytes:
    """Return the tar of members."""
    parts = [ustar.header(name, len(data)) + data + ustar.padding(len(data))
             for name, data in members.items()]  # fmt: skip
    return b"".join(parts) + ustar.END


class Device:
    """A device's folder with a release in use, beside what is not the agent's business."""

    def __init__(self, place: Path) -> None:
        self.key = new_key("ed25519")
        self.place, self.root = place, place / "edgeflow"
        self.folder = self.root / "net"
        (self.folder / "incoming").mkdir(parents=True)
        (self.root / "trust").mkdir()
        (self.root / "trust/allowed_signers").write_text(allowed_signer(SIGNER, line(self.key)))
        (place / "precious").write_bytes(b"not the agent's")
        self.good = self.signed(GOOD)
        self.sha = hashlib.sha256(self.good).hexdigest()
        self.upload(self.sha, self.good, "tar")
        assert self.call("install", self.sha)[0] == 0
        assert put_in_use(self.call, self.sha)[0] == 0
        self.kept = place.parent / "kept"
        shutil.copytree(place, self.kept, symlinks=True)

    def signed(self, text: bytes, files: dict[str, bytes] = FILES) -> bytes:
        """Return a bundle with a manifest that an allowed signer has signed."""
        return tar_of({"manifest.json": text, "manifest.json.sig": self.sign(text), **files})

    def sign(self, text: bytes) -> bytes:
        """Return a signature."""
        digest = hashlib.sha512(text).digest()
        parts = [NAMESPACE.encode(), b"", b"sha512", digest]
        value = self.key.sign_ssh_data(b"SSHSIG" + b"".join(map(string, parts))).asbytes()
        blob = [self.key.asbytes(), NAMESPACE.encode(), b"", b"sha512", value]
        return armored(b"SSHSIG\0\0\0\1" + b"".join(map(string, blob)))

    def reset(self) -> None:
        """Make all as it was before anything hostile came."""
        shutil.rmtree(self.place)
        shutil.copytree(self.kept, self.place, symlinks=True)

    def upload(self, sha: str, data: bytes, form: str) -> None:
        """Put what a host has sent where the agent expects it."""
        (self.folder / "incoming").mkdir(exist_ok=True)
        (self.folder / "incoming" / upload_name(sha, None, form)).write_bytes(data)

    def call(self, verb: str, *arguments: str, folder: Path | None = None) -> tuple[int, Any]:
        """Run a verb; what it prints must be one answer, and its exit code the one that belongs."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = agent.main([verb, str(folder or self.folder), *arguments])
        answer = json.loads(said.getvalue())
        assert said.getvalue().count("\n") == 1
        assert isinstance(answer, dict)
        if "error" in answer:
            assert answer["error"] in KINDS
            assert isinstance(answer["detail"], str)
            assert "Error:" not in answer["detail"].split(" ")[0], answer
        assert code == (EXIT_CODES.get(answer["error"], 70) if "error" in answer else 0)
        return code, answer

    def outside(self) -> dict[str, object]:
        """Return all that is not in the model's folder."""
        found: dict[str, object] = {}
        for path in sorted(self.place.parent.rglob("*")):
            if self.kept in path.parents or self.folder in [path, *path.parents]:
                continue
            facts = path.lstat()
            found[str(path)] = (facts.st_mode, path.read_bytes() if path.is_file() else None)
        return found


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        in_this_process(patch.setattr)
        yield Device(tmp_path_factory.mktemp("hostile") / "place")


def sampled(share: int) -> Callable[[Any], Any]:
    """Return the same examples in each run; in a sweep other ones each time."""
    return settings(
        max_examples=INPUTS * share // 100,
        deadline=None,
        derandomize=not SWEEP,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def spoiled(draw: DrawFn, data: bytes) -> bytes:
    """Return bytes with bits flipped, parts cut out, said twice, or put in."""
    for _ in range(draw(st.integers(1, 3))):
        at, size = draw(st.integers(0, len(data))), draw(st.sampled_from([1, 100, 512, 1024]))
        kind = draw(st.sampled_from(["flip", "cut", "end", "twice", "more"]))
        if kind == "flip" and at < len(data):
            flipped = data[at] ^ 1 << draw(st.integers(0, 7))
            data = data[:at] + bytes([flipped]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at] + data[at + size :]
        elif kind == "end":
            data = data[:at]
        elif kind == "twice":
            data = data[:at] + data[at : at + size] * 2 + data[at + size :]
        else:
            data = data[:at] + draw(st.binary(max_size=64)) + data[at:]
    return data


@st.composite
def odd_json(draw: DrawFn, value: Any) -> Any:
    """Return a JSON value of which something is another one, or is missing."""
    if not isinstance(value, dict) or not value or draw(st.integers(0, 5)) == 0:
        return draw(ODD)
    key = draw(st.sampled_from(sorted(value)))
    kind = draw(st.sampled_from(["into", "into", "into", "gone", "renamed", "more"]))
    rest = {name: one for name, one in value.items() if name != key}
    if kind == "gone":
        return rest
    if kind == "renamed":
        return {**rest, draw(NAMES): value[key]}
    if kind == "more":
        return {**value, draw(NAMES): draw(st.one_of(ODD, st.just(value[key])))}
    return {**value, key: draw(odd_json(value[key]))}


@st.composite
def odd_text(draw: DrawFn, value: Any) -> bytes:
    """Return what a JSON file may hold instead of a value."""
    text = json.dumps(value).encode()
    raw = [
        b"[" * 100_000, b'{"files":' * 50_000, b"1" * 5000, text.decode().encode("utf-16"), b"",
        b"\xef\xbb\xbf" + text, text[:-1] + b"," + text[1:], b"NaN", b"\0" * 100,
    ]  # fmt: skip
    odd = odd_json(value).map(_dumped)
    return draw(st.one_of(odd, odd, spoiled(text), st.sampled_from(raw)))


def _dumped(value: Any) -> bytes:
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(value).encode()
    finally:
        sys.set_int_max_str_digits(digits)


@st.composite
def odd_member(draw: DrawFn) -> bytes:
    """Return a member that is a link, a device, a sparse file, one of a negative size ..."""
    info = tarfile.TarInfo(draw(NAMES).replace("\0", "").encode("utf-8", "replace").decode())
    info.type, info.linkname = draw(TYPES), draw(st.sampled_from(["", "/etc/passwd", "runner.py"]))
    info.size = draw(st.sampled_from([0, 1, 512, 8**11 - 1, 8**12, -1, -512, -1024]))
    form: Any = draw(st.sampled_from([0, 1, 2]))  # USTAR, GNU, PAX
    try:
        head = info.tobuf(form)
    except ValueError:
        head = info.tobuf(tarfile.GNU_FORMAT)
    return head + draw(st.binary(max_size=600)).ljust(draw(st.sampled_from([0, 512, 1024])), b"\0")


@st.composite
def odd_tar(draw: DrawFn, tar: bytes) -> bytes:
    """Return a tar that something was done to."""
    if draw(st.booleans()):
        return draw(spoiled(tar))
    at = draw(st.integers(0, len(tar) // 512)) * 512
    times = draw(st.sampled_from([1, 1, 2, 2000]))
    return tar[:at] + draw(odd_member()) * times + tar[at:]


def assert_no_harm(device: Device, before: dict[str, object], *, allowed: set[bytes]) -> None:
    """Assert that nothing else has changed, and that what is installed was signed as it is."""
    assert device.outside() == before
    assert (device.folder / "current").readlink().name == device.sha
    for release in (device.folder / "releases").iterdir():
        assert (release / "manifest.json").read_bytes() in allowed
        listed = json.loads((release / "manifest.json").read_bytes())["files"]
        found = {str(p.relative_to(release)) for p in release.rglob("*") if not p.is_dir()}
        assert found - {"manifest.json", "manifest.json.sig"} == set(listed)
        for name, entry in listed.items():
            assert not (release / name).is_symlink()
            assert hashlib.sha256((release / name).read_bytes()).hexdigest() == entry["sha256"]
    assert not list((device.folder / "incoming").iterdir())


@given(data=st.data())
@sampled(60)
def test_bundles(device: Device, data: st.DataObject) -> None:
    """Whole or delta, packed or not, with or without a signature that is good."""
    device.reset()
    before = device.outside()
    files = {**FILES, "data/model": b"new" * 100}
    text = json.dumps(manifest_of(files)).encode()
    signed = {text, GOOD}
    kind = data.draw(st.sampled_from(["manifest", "tar", "signature", "delta", "packed"]))
    if kind == "manifest":
        text = data.draw(odd_text(manifest_of(files)))
        signed.add(text)
    good = device.signed(text, files)
    form, tar = "tar", good
    if kind == "tar":
        tar = data.draw(odd_tar(good))
    elif kind == "signature":
        spoilt = data.draw(spoiled(device.sign(text)))
        tar = tar_of({"manifest.json": text, "manifest.json.sig": spoilt, **files})
    elif kind == "delta":
        form = "delta"
        sign = {"manifest.json.sig": device.sign(text)}
        tar = data.draw(
            odd_tar(tar_of({"manifest.json": text, **sign, "data/model": b"new" * 100}))
        )
    elif kind == "packed":
        form = data.draw(st.sampled_from(["tar.zst", "delta.zst"]))
        bomb = packed(bytes(10_000_000))
        tar = data.draw(st.one_of(spoiled(packed(good)), st.just(bomb), st.just(bomb + bomb)))
    sha = hashlib.sha256(tar if form == "tar" else good).hexdigest()
    device.upload(sha, tar, form)
    size = str(data.draw(st.sampled_from([len(good), 0, -1, 10**5, 2**70])))
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            patch.setenv("PATH", "/nowhere")  # without ssh-keygen
        device.call("install", sha, "--form", form, "--packed-from", size)
    assert_no_harm(device, before, allowed=signed)


HELP = ("-h", "--h")
FOUND = ("journal.json", "audit.log", "current", "lock", "supervisor.lock", "cache", "incoming",
         "run", "kept", "journal.json.tmp", ".current.tmp", "audit.log.1")  # fmt: skip
WORDS = st.one_of(
    st.binary(max_size=20).map(lambda data: os.fsdecode(data.replace(b"\0", b""))),
    st.sampled_from(["0" * 64, "../x", "-1", "9" * 5000, "nan", "inf", "1e400", "", "--reason",
                     "--last", "--uploader", OWN, "--form", "delta.zst", "--health-s", "--unit",
                     "--confirm-s", "--need-bytes", "--allow-downgrade", "x" * 5000, "{}"]),
)  # fmt: skip
VERBS = st.sampled_from(
    ["status", "verify", "prepare", "install", "switch", "confirm", "recover", "history", "gc",
     "rollback", "retire", "prune", "models", "logs", "forget", "pack-samples", "find-data",
     "store-data"],
)  # fmt: skip


def put(place: Path, what: bytes | str | None) -> None:
    """Put a file, a link, a pipe or a folder there, whatever is there now."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    if isinstance(what, bytes):
        place.write_bytes(what)
    elif what == "pipe":
        os.mkfifo(place)
    elif what == "folder":
        (place / "sub").mkdir(parents=True)
    elif what is not None:
        place.symlink_to(what)


@given(data=st.data())
@sampled(25)
def test_what_lies_there_and_what_is_asked(device: Device, data: st.DataObject) -> None:
    """Journals, logs, links, locks and the words of a command."""
    device.reset()
    before = device.outside()
    name = data.draw(st.sampled_from(["journal.json", *FOUND]))
    path = device.folder / name
    held = path.read_bytes() if path.is_file() and not path.is_symlink() else b"{}\n"
    texts = odd_text(json.loads(held)) if name == "journal.json" else spoiled(held)
    kinds = ["pipe", "folder", None, "../../precious", "/etc/passwd", name]
    put(path, data.draw(st.one_of(texts, texts, texts, st.sampled_from(kinds))))
    for _ in range(2):
        verb = data.draw(VERBS)
        words = [device.sha, *IN_TIME] if verb == "switch" else [device.sha]
        words = data.draw(st.one_of(st.lists(WORDS, max_size=4), st.just(words)))
        words = [word for word in words if word == "--health-s" or not word.startswith(HELP)]
        root = verb in ("recover", "models", "gc")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", "/nowhere")
            device.call(verb, *words, folder=device.root if root else None)
    assert device.outside() == before
    link = device.folder / "current"
    if link.is_symlink() and name != "current":
        assert link.readlink().name == device.sha


@given(data=st.data())
@sampled(15)
def test_trust(device: Device, data: st.DataObject) -> None:
    """Whatever the files of trust hold, a key that none of them names signs nothing."""
    device.reset()
    trust = device.root / "trust"
    name = data.draw(st.sampled_from(["allowed_signers", "revoked_keys"]))
    held = (trust / "allowed_signers").read_bytes()
    kinds = ["pipe", "folder", "../../precious", "/dev/zero", name]
    put(trust / name, data.draw(st.one_of(spoiled(held), st.sampled_from(kinds))))
    before = device.outside()
    text = json.dumps(manifest_of(FILES, counter=6)).encode()
    own, device.key = device.key, FOREIGN
    try:
        tar = device.signed(text)
    finally:
        device.key = own
    sha = hashlib.sha256(tar).hexdigest()
    device.upload(sha, tar, "tar")
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            patch.setenv("PATH", "/nowhere")
        code, answer = device.call("install", sha)
    assert code == 65, answer
    assert_no_harm(device, before, allowed={GOOD})


@given(data=st.data())
@sampled(20)
def test_bundles_that_people_look_at(
    make_bundle: Callable[..., Path], tmp_path: Path, data: st.DataObject
) -> None:
    """What `bundle show`, `verify` and `sign` read may come from anywhere."""
    good, bundle = make_bundle().read_bytes(), tmp_path / "hostile.tar"
    bundle.write_bytes(data.draw(odd_tar(good)))
    for look in (look_at.manifest_in, look_at.facts_of):
        with contextlib.suppress(IntegrityError):
            look(bundle)
    with contextlib.suppress(IntegrityError):
        look_at.verify_bundle(bundle, None)
        assert bundle.read_bytes() == good


ORDER = {"format": 2, "model": "net", "sha256": "0" * 64, "path": "/opt/edgeflow", "health_s": 60.0,
         "confirm_s": 60.0, "need_bytes": 5000, "need_inodes": 20}  # fmt: skip


@given(data=st.data())
@sampled(20)
def test_orders_of_update_systems(tmp_path: Path, data: st.DataObject) -> None:
    (tmp_path / hand_over.ORDER).write_bytes(data.draw(odd_text(ORDER)))
    with contextlib.suppress(Refused):
        order = hand_over.order_in(str(tmp_path))
        folder = Path(order["path"]) / order["model"]
        assert folder.is_absolute()
        assert (folder.parent, folder.name) == (Path(order["path"]), order["model"])
        assert b"\0" not in os.fsencode(folder)
        assert re.fullmatch("[0-9a-f]{64}", order["sha256"])
        assert all(0 < order[key] <= LONGEST_S for key in ("health_s", "confirm_s"))
        assert all(int(str(order[key])) >= 0 for key in ("need_bytes", "need_inodes"))


@pytest.mark.parametrize(
    "seconds", ["1" + "0" * 400, "1e308", "NaN", "Infinity", "-1", "0", "true", '"6"']
)
def test_no_time_that_is_none_is_waited_for(tmp_path: Path, seconds: str) -> None:
    order = json.dumps({**ORDER, "confirm_s": 77}).replace("77", seconds)
    (tmp_path / hand_over.ORDER).write_text(order)
    with pytest.raises(Refused, match="unusable"):
        hand_over.order_in(str(tmp_path))
    pending = {"target": "0" * 64, "token": "0" * 64, "previous": None, "healthy": False}
    deadline = {"boot": "now", "monotonic_s": json.loads(seconds)}
    is_number = seconds in ("-1", "0", "1e308")
    assert sound_pending({**pending, "deadline": deadline}) is is_number
