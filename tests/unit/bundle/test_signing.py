"""Bundles are signed by a key file, by a key in an agent, or on another machine."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.step import content_digest
from edgeflow.bundle.archive import write_tar
from edgeflow.bundle.manifest import MANIFEST, SIGNATURE, read_bundle
from edgeflow.bundle.pack import made_from
from edgeflow.bundle.signer import signer, signer_of
from edgeflow.bundle.signing import fingerprint, require_signature
from edgeflow.check.files import check_files
from edgeflow.cli.app import app
from edgeflow.config.load import parse
from edgeflow.config.publickey import public_half
from edgeflow.config.signing import Signing
from edgeflow.dataset.view import part_files
from edgeflow.errors import ConfigError, IntegrityError, SigningError
from edgeflow.plan import Plan
from edgeflow.testing.trained import Trained
from tests.unit.packed import members, pack_tiny

MANIFEST_BYTES = b'{"files": {}}\n'
MakeKey = Callable[..., Path]


@pytest.fixture
def make_key(tmp_path: Path) -> MakeKey:
    def make(*options: str, passphrase: str = "") -> Path:
        path = tmp_path / f"key{len(list(tmp_path.iterdir()))}"
        options = options or ("-t", "ed25519")
        command = ["ssh-keygen", "-q", "-N", passphrase, "-f", str(path), *options]
        subprocess.run(command, check=True)
        return path

    return make


def public_of(key: Path) -> str:
    public = public_half(key)
    assert public is not None
    return public


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as process:
        while not socket.exists():
            os.sched_yield()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield
        process.terminate()


def test_a_key_that_cannot_sign_is_told_before_anything_is_built(make_key: MakeKey) -> None:
    def told(key: Path) -> list[str]:
        found = check_files({"signing": {"key": str(key)}})
        return [it.message.removeprefix(f"{key} ") for it in found]

    good, other = make_key(), make_key("-t", "ecdsa", "-b", "256")
    assert told(good) == told(other) == []
    (curve,) = told(make_key("-t", "ecdsa", "-b", "384"))
    assert curve == "cannot sign bundles: its key is of the kind 'ecdsa-sha2-nistp384'"
    (short,) = told(make_key("-t", "rsa", "-b", "1024"))
    assert short.startswith("cannot sign bundles: its RSA key has fewer than 2048 bits")
    other.with_suffix(".pub").replace(good.with_suffix(".pub"))
    assert told(good) == [f"is another key than {good.name}.pub beside it"]


def test_the_public_half_is_told_without_the_passphrase(make_key: MakeKey, tmp_path: Path) -> None:
    key = make_key(passphrase="secret")
    written = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    assert public_half(key) == public_half(key.with_suffix(".pub")) == written
    key.with_suffix(".pub").unlink()
    assert public_half(key) == written
    assert fingerprint(written).startswith("SHA256:")
    for text in ("", "words of no key", key.read_text()[:90]):
        (tmp_path / "no-key").write_text(text)
        assert public_half(tmp_path / "no-key") is None
    assert public_half(tmp_path / "nowhere") is None
    old = make_key("-t", "rsa", "-b", "2048", "-m", "PEM")
    old.with_suffix(".pub").unlink()
    assert public_half(old) is None


@pytest.mark.parametrize("options", [(), ("-t", "rsa", "-b", "2048"), ("-t", "ecdsa")])
def test_a_key_file_signs_the_same_each_time(make_key: MakeKey, options: tuple[str, ...]) -> None:
    key = make_key(*options)
    sign = signer(public_of(key), key, None)
    assert sign(MANIFEST_BYTES) == sign(MANIFEST_BYTES)
    require_signature(MANIFEST_BYTES, sign(MANIFEST_BYTES), public_of(key), "it")
    with pytest.raises(IntegrityError, match="other bytes"):
        require_signature(b"other", sign(MANIFEST_BYTES), public_of(key), "it")


def test_what_no_build_makes_is_signed_where_the_key_is_at_hand(make_key: MakeKey) -> None:
    """As the bundles of `edgeflow profile`, for devices that take no others."""
    key = make_key()
    sign = signer_of(Signing(key=str(key)))
    assert sign is not None
    require_signature(MANIFEST_BYTES, sign(MANIFEST_BYTES), public_of(key), "it")
    assert signer_of(Signing(key=str(key), signatures="elsewhere")) is None
    assert signer_of(None) is None


def test_an_agent_signs_what_needs_a_passphrase(make_key: MakeKey, agent: None) -> None:
    key, locked = make_key(), make_key(passphrase="secret")
    subprocess.run(["ssh-add", "-q", key], check=True)
    public = key.with_suffix(".pub")
    by_agent = signer(public_of(public), public, None)(MANIFEST_BYTES)
    assert by_agent == signer(public_of(key), key, None)(MANIFEST_BYTES)
    with pytest.raises(SigningError, match="is protected by a passphrase"):
        signer(public_of(locked), locked, None)(MANIFEST_BYTES)


def test_what_cannot_sign_says_why(make_key: MakeKey, tmp_path: Path) -> None:
    key, other = make_key(), make_key()
    with pytest.raises(SigningError, match="public half of the key .* cannot be read"):
        signer(None, tmp_path / "nowhere", None)
    with pytest.raises(SigningError, match="no private key"):
        signer(public_of(key), tmp_path / "nowhere", None)(MANIFEST_BYTES)
    with pytest.raises(IntegrityError, match="by another key"):
        signer(public_of(key), other, None)(MANIFEST_BYTES)
    large = make_key("-t", "ecdsa", "-b", "521")
    with pytest.raises(SigningError, match="nistp521"):
        signer(public_of(large), large, None)(MANIFEST_BYTES)


@pytest.mark.parametrize("program", ["edgeflow", "ssh-keygen"])
def test_a_key_on_another_machine_signs_what_the_build_asks_for(
    make_key: MakeKey, tmp_path: Path, program: str
) -> None:
    key, folder = make_key(), tmp_path / "signatures"
    sign = signer(public_of(key), key.with_suffix(".pub"), folder)
    with pytest.raises(SigningError) as asked:
        sign(MANIFEST_BYTES)
    assert asked.value.exit_code == 13
    name = f"{hashlib.sha256(MANIFEST_BYTES).hexdigest()}.json"
    assert (folder / name).read_bytes() == MANIFEST_BYTES
    words = asked.value.hint.replace("KEY`", f"{key}`").replace("-f KEY", f"-f {key}")
    commands = [text.split() for text in words.split("`")[1::2]]
    command = next(words for words in commands if words[0] == program)
    if program == "edgeflow":
        done = CliRunner().invoke(app, command[1:])
        assert done.exit_code == 0, done.output
    else:
        subprocess.run(command, check=True)
    signature = sign(MANIFEST_BYTES)
    assert signature == (folder / f"{name}.sig").read_bytes()
    assert signature == signer(public_of(key), key, None)(MANIFEST_BYTES)
    (folder / f"{name}.sig").write_bytes(signature.replace(b"A", b"B", 3))
    with pytest.raises(IntegrityError, match="is no signature"):
        sign(MANIFEST_BYTES)


def test_a_signed_bundle_names_what_it_was_made_from(
    trained: Trained, packed: Path, make_key: MakeKey, tmp_path: Path
) -> None:
    out, key = tmp_path / "out", make_key()
    shutil.copytree(packed, out)
    recipe, model = trained.recipe("ptq-int8"), trained.recipe("none")
    parts = ["calibration", "test"]
    slice_ = {"parts": parts, "signing": {"counter": 7, "key": public_of(key)}}
    pack_tiny(
        trained, "litert", "ptq-int8", out,
        origin=made_from(trained.dataset, model, recipe, ["calibration", "test"]),
        sign=signer(public_of(key), key, None),
        signing=slice_,
    )  # fmt: skip
    found = members(out / "bundle.tar")
    assert list(found)[:2] == [MANIFEST, SIGNATURE]
    require_signature(found[MANIFEST], found[SIGNATURE], public_of(key), "it")
    manifest = read_bundle(out / "bundle.tar")
    assert manifest.counter == 7
    assert manifest.provenance is not None
    assert manifest.provenance.model_dump(mode="json") == {
        "parts": parts,
        "dataset": content_digest(part_files(trained.dataset, ("calibration", "test"), "decoding")),
        "training": content_digest(model / "manifest.json"),
        "recipe": content_digest(recipe / "manifest.json"),
        "compile": content_digest(out / "compile.json"),
    }
    # An edit of code that made the same again is in no digest: nothing is deployed anew.
    path, before = recipe / "manifest.json", sha256_file(out / "bundle.tar")
    kept = path.read_text()
    path.write_text(json.dumps({**json.loads(kept), "code": "0" * 64}))
    try:
        pack_tiny(
            trained, "litert", "ptq-int8", out,
            origin=made_from(trained.dataset, model, recipe, ["calibration", "test"]),
            sign=signer(public_of(key), key, None),
            signing=slice_,
        )  # fmt: skip
    finally:
        path.write_text(kept)
    assert sha256_file(out / "bundle.tar") == before


def bundle(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["bundle", *map(str, arguments)])


def test_a_bundle_is_shown_and_verified_byte_by_byte(
    packed: Path, make_key: MakeKey, tmp_path: Path
) -> None:
    plain, signed, key, other = (
        packed / "bundle.tar", tmp_path / "signed.tar", make_key(), make_key(),
    )  # fmt: skip
    found = members(plain)
    signature = signer(public_of(key), key, None)(found[MANIFEST])
    rest = {name: data for name, data in found.items() if name != MANIFEST}
    write_tar(signed, {MANIFEST: found[MANIFEST], SIGNATURE: signature, **rest})

    assert "signature: none" in bundle("show", plain).stdout
    shown = json.loads(bundle("show", signed, "--json").stdout)
    assert shown["signature"]["key"] == fingerprint(public_of(key))
    assert (shown["model"], shown["sha256"]) == ("tiny", sha256_file(signed))
    assert shown["files"].keys() == rest.keys()

    assert "whole, and signed by" in bundle("verify", signed, "--key", key).stdout
    for path, by, says in (
        (
            signed,
            other,
            f"{fingerprint(public_of(key))} instead of {fingerprint(public_of(other))}",
        ),
        (key, key, "is not a bundle: not a readable tar\n  hint: name the bundle.tar"),
        (plain, key, "is not signed"),
    ):
        failed = bundle("verify", path, "--key", by).exception
        assert isinstance(failed, IntegrityError)
        assert says in str(failed)
    with signed.open("ab") as file:
        file.write(b"more")
    failed = bundle("verify", signed, "--key", key).exception
    assert isinstance(failed, IntegrityError)
    assert "is not as it was packed" in str(failed)
    changed = {**rest, "runner.py": b"pass"}
    write_tar(signed, {MANIFEST: found[MANIFEST], SIGNATURE: signature, **changed})
    failed = bundle("verify", signed, "--key", key).exception
    assert "is not what its manifest says: runner.py" in str(failed)

    assert bundle("sign", plain, "--key", key, "--to", tmp_path).exit_code == 0
    name = f"{hashlib.sha256(found[MANIFEST]).hexdigest()}.json.sig"
    assert (tmp_path / name).read_bytes() == signature
    refused = bundle("sign", key, "--key", key)
    assert "neither a bundle nor the manifest of one" in str(refused.exception)


CONFIG = """\
datasets: {digits: {source: digits}}
models: {net: {dataset: digits, architecture: {name: ds_cnn}}}
recipes: {fp32: {}, int8: {quantize: ptq-int8}}
targets: {pi: {kind: litert}, board: {kind: iree}}
devices: {bench: {target: pi, transport: virtual}}
deployments: [{model: net, recipe: fp32, devices: [bench]}]
"""
SSH = """\
{target: pi, transport: ssh, host: h, user: u, identity: k, host_key: ssh-ed25519
AAAAC3NzaC1lZDI1NTE5AAAAIHGouOOZTwMVfqgCUXxxD/tfOWANN+G7diwlcDZU5hb3}
"""


def test_the_key_alone_is_in_the_slice_of_the_bundle(make_key: MakeKey, tmp_path: Path) -> None:
    """Not where its file lies; and no other step knows of it."""
    key = make_key()
    raw = yaml.safe_load(CONFIG)

    def slices(**signing: object) -> dict[str, Any]:
        plan = Plan(parse({**raw, "signing": signing} if signing else raw))
        names = {"target": "pi", "model": "net", "recipe": "int8"}
        return {step: plan.job(step, **names).slice for step in ("train", "compile", "bundle")}

    plain, signed = slices(), slices(key=str(key), counter=3)
    assert plain["bundle"] == {
        "model": "net", "recipe": "int8",
        "target": {"kind": "litert", "threads": 1, "xnnpack": True},
        "parts": ["calibration", "test", "train", "validation"], "signing": None,
    }  # fmt: skip
    assert signed == {
        **plain,
        "bundle": {**plain["bundle"], "signing": {"counter": 3, "key": public_of(key)}},
    }
    moved = str(shutil.copy(key, tmp_path / "moved"))
    assert slices(key=moved, counter=3, signer="me@lab") == signed


def test_a_device_says_whether_it_takes_only_signed_bundles() -> None:
    raw = yaml.safe_load(CONFIG)
    raw["devices"]["kitchen"] = yaml.safe_load(SSH)
    with pytest.raises(ConfigError) as silent:
        parse(raw)
    assert [problem.path for problem in silent.value.problems] == ["devices.kitchen"]
    assert "`trust: transport`" in str(silent.value)
    trusts = {
        name: device.trust
        for name, device in parse({**raw, "signing": {"key": "k"}}).devices.items()
    }
    assert trusts == {"bench": "transport", "kitchen": "signatures"}
    raw["devices"]["kitchen"]["trust"] = "transport"
    assert parse(raw).devices["kitchen"].trust == "transport"
    raw["devices"]["bench"]["trust"] = "signatures"
    with pytest.raises(ConfigError, match="nothing signs bundles"):
        parse(raw)
