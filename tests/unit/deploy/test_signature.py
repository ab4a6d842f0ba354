"""What a device takes for signed: three verifiers that agree, and everything else refused."""

import base64
import hashlib
import io
import json
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paramiko
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_public_key,
)

from edgeflow.bundle import signing
from edgeflow.bundle.signing import allowed_signer, sign
from edgeflow.ondevice.agent.answer import Refused
from edgeflow.ondevice.agent.ed25519 import ORDER
from edgeflow.ondevice.agent.signature import NAMESPACE, signer_of
from edgeflow.ondevice.agent.sshsig import Reader, Signature, Unreadable, string
from tests.unit.deploy.trials import put_in_use

Call = Callable[..., tuple[int, dict[str, Any]]]
MANIFEST = b'{"files": {}}'
SIGNER = "release@edgeflow"
KINDS = ("ed25519", "rsa", "p256")


def new_key(kind: str) -> paramiko.PKey:
    make: dict[str, Callable[[], Any]] = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    }
    text = make[kind]().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    kinds: dict[str, type[paramiko.PKey]] = {
        "ed25519": paramiko.Ed25519Key,
        "rsa": paramiko.RSAKey,
        "p256": paramiko.ECDSAKey,
    }
    return kinds[kind].from_private_key(io.StringIO(text))


def line(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


@pytest.fixture(scope="session")
def keys() -> dict[str, paramiko.PKey]:
    return {kind: new_key(kind) for kind in KINDS}


@pytest.fixture
def trust(tmp_path: Path, keys: dict[str, paramiko.PKey]) -> Path:
    """What a device trusts: all three keys."""
    folder = tmp_path / "trust"
    folder.mkdir()
    lines = [allowed_signer(SIGNER, line(key)) for key in keys.values()]
    (folder / "allowed_signers").write_text("# of tests\n\n" + "".join(lines))
    return folder


@pytest.fixture(params=["ssh-keygen", "python"])
def verifier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A device with ssh-keygen, and one without."""
    if request.param == "python":
        monkeypatch.setenv("PATH", "/nowhere")
    else:
        assert shutil.which("ssh-keygen")
    return str(request.param)


def refusal(manifest: bytes, signature: bytes | None, trust: Path) -> str:
    with pytest.raises(Refused) as caught:
        signer_of(manifest, signature, str(trust))
    assert caught.value.answer["error"] == "rejected"
    return str(caught.value)


def pyca_verifies(signature: Signature, message: bytes) -> bool:
    """Verify by `cryptography`, from the parts that were read."""
    key: Any = load_ssh_public_key(
        signature.key[4:].split(b"\0", 1)[0] + b" " + base64.b64encode(signature.key)
    )
    reader = Reader(signature.value)
    algorithm, value = reader.text(), reader.string()
    signed = signature.signed(message)
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(value, signed)
        elif isinstance(key, rsa.RSAPublicKey):
            assert algorithm == "rsa-sha2-512"
            size = (key.key_size + 7) // 8
            key.verify(value.rjust(size, b"\0"), signed, padding.PKCS1v15(), SHA512())
        else:
            numbers = Reader(value)
            pair = utils.encode_dss_signature(numbers.number(), numbers.number())
            key.verify(pair, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def spoiled(signature: bytes, where: random.Random) -> bytes:
    """Return a signature with one bit of its inside flipped."""
    body = b"".join(signature.splitlines()[1:-1])
    data = bytearray(base64.b64decode(body))
    data[where.randrange(len(data))] ^= 1 << where.randrange(8)
    return armored(bytes(data))


def armored(data: bytes) -> bytes:
    lines = base64.encodebytes(data)
    return b"-----BEGIN SSH SIGNATURE-----\n" + lines + b"-----END SSH SIGNATURE-----\n"


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_allowed_key_signed_is_taken(
    kind: str, keys: dict[str, paramiko.PKey], trust: Path, verifier: str
) -> None:
    signature = sign(MANIFEST, keys[kind], kind)
    assert signature == sign(MANIFEST, keys[kind], kind)
    assert signer_of(MANIFEST, signature, str(trust)) == SIGNER
    assert "not one of this manifest" in refusal(MANIFEST + b" ", signature, trust)
    assert "not signed" in refusal(MANIFEST, None, trust)


@pytest.mark.parametrize("kind", KINDS)
def test_what_ssh_keygen_signs_is_taken(kind: str, tmp_path: Path) -> None:
    """The way of a person whose signing machine has no edgeflow."""
    size = {"ed25519": ["ed25519"], "rsa": ["rsa", "-b", "2048"], "p256": ["ecdsa", "-b", "256"]}
    key, manifest = tmp_path / "key", tmp_path / "manifest.json"
    manifest.write_bytes(MANIFEST)
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", key, "-t", *size[kind]], check=True)
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", key, manifest])
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    found = Signature((tmp_path / "manifest.json.sig").read_bytes())
    assert found.key == base64.b64decode(public.split()[1])
    assert found.verifies(MANIFEST)
    assert not found.verifies(MANIFEST + b"x")


@pytest.mark.parametrize("kind", KINDS)
def test_every_changed_bit_is_judged_as_pyca_judges_it(
    kind: str, keys: dict[str, paramiko.PKey]
) -> None:
    """Where the standard library alone reads a changed signature, it says what pyca says: no."""
    where, read = random.Random(kind), 0
    for number in range(40):
        message = where.randbytes(number)
        signature = sign(message, keys[kind], kind)
        good = Signature(signature)
        assert good.verifies(message)
        assert pyca_verifies(good, message)
        bad = Signature(signature)
        position = where.randrange(len(bad.value) - 40, len(bad.value))
        flipped = bad.value[position] ^ 1 << where.randrange(8)
        bad.value = bad.value[:position] + bytes([flipped]) + bad.value[position + 1 :]
        try:
            said = bad.verifies(message)
        except Unreadable:
            continue
        read += 1
        assert not said
        assert not pyca_verifies(bad, message)
    assert read > 20


def test_random_ed25519_keys_verify_as_by_pyca() -> None:
    where = random.Random(0)
    for _ in range(40):
        key = new_key("ed25519")
        message = where.randbytes(where.randrange(200))
        found = Signature(sign(message, key, "key"))
        assert found.verifies(message)
        other = Signature(sign(message, new_key("ed25519"), "other"))
        other.key = found.key
        assert not other.verifies(message)
        assert not pyca_verifies(other, message)


def test_random_p256_keys_verify_as_by_pyca() -> None:
    where = random.Random(0)
    for _ in range(20):
        message = where.randbytes(where.randrange(200))
        found = Signature(sign(message, new_key("p256"), "key"))
        assert found.verifies(message)
        assert pyca_verifies(found, message)
        assert not found.verifies(message + b"x")


def test_a_changed_file_never_passes(
    keys: dict[str, paramiko.PKey], trust: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    where = random.Random(1)
    for kind in KINDS:
        signature = sign(MANIFEST, keys[kind], kind)
        for _ in range(60):
            refusal(MANIFEST, spoiled(signature, where), trust)
        for end in range(0, len(signature) - 1, 17):
            refusal(MANIFEST, signature[:end], trust)
        for _ in range(20):
            refusal(MANIFEST, armored(where.randbytes(where.randrange(300))), trust)
        assert signer_of(MANIFEST, signature, str(trust)) == SIGNER


def test_a_malleated_signature_is_refused(
    keys: dict[str, paramiko.PKey], trust: Path, verifier: str
) -> None:
    """S + L verifies too by the formula; some releases of OpenSSH let it pass."""
    signature = Signature(sign(MANIFEST, keys["ed25519"], "key"))
    value = Reader(signature.value)
    name, pair = value.string(), value.string()
    s = int.from_bytes(pair[32:], "little") + ORDER
    signature.value = string(name) + string(pair[:32] + s.to_bytes(32, "little"))
    assert not signature.verifies(MANIFEST)
    assert not pyca_verifies(signature, MANIFEST)
    data = b"SSHSIG\0\0\0\1" + b"".join(
        string(part)
        for part in (signature.key, NAMESPACE.encode(), b"", b"sha512", signature.value)
    )
    assert "second form" in refusal(MANIFEST, armored(data), trust)


def test_another_purpose_signer_or_kind_of_key_is_refused(
    keys: dict[str, paramiko.PKey], trust: Path, verifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = sign(MANIFEST, new_key("ed25519"), "unknown")
    assert "none of the allowed signers" in refusal(MANIFEST, unknown, trust)
    with monkeypatch.context() as other:
        other.setattr(signing, "NAMESPACE", "git")
        commit = sign(MANIFEST, keys["ed25519"], "key")
    assert "one for 'git'" in refusal(MANIFEST, commit, trust)
    weak = rsa.generate_private_key(65537, 1024)
    small = paramiko.RSAKey(key=weak)
    (trust / "allowed_signers").write_text(allowed_signer(SIGNER, line(small)))
    forced = bytes(small.asbytes())
    data = b"SSHSIG\0\0\0\1" + b"".join(
        string(part) for part in (forced, NAMESPACE.encode(), b"", b"sha512", b"")
    )
    assert "2048 bits" in refusal(MANIFEST, armored(data), trust)


@pytest.mark.parametrize(
    "options",
    ['namespaces="git"', 'valid-before="20200101"', "cert-authority", 'namespaces="a" extra'],
)
def test_a_line_that_does_not_allow_bundles_allows_nobody(
    options: str, keys: dict[str, paramiko.PKey], trust: Path
) -> None:
    key = keys["ed25519"]
    (trust / "allowed_signers").write_text(f"{SIGNER} {options} {line(key)}\n")
    assert "none of the allowed" in refusal(MANIFEST, sign(MANIFEST, key, "key"), trust)
    (trust / "allowed_signers").write_text(f"* {line(key)}\n")
    assert "none of the allowed" in refusal(MANIFEST, sign(MANIFEST, key, "key"), trust)


def test_a_revoked_key_is_refused(
    keys: dict[str, paramiko.PKey], trust: Path, tmp_path: Path, verifier: str
) -> None:
    revoked, other = (sign(MANIFEST, keys[kind], kind) for kind in ("ed25519", "rsa"))
    public = tmp_path / "key.pub"
    public.write_text(line(keys["ed25519"]) + "\n")
    shutil.copy(public, trust / "revoked_keys")
    assert "revoked" in refusal(MANIFEST, revoked, trust)
    assert signer_of(MANIFEST, other, str(trust)) == SIGNER
    (trust / "revoked_keys").write_text("nonsense\n")
    assert "is no key" in refusal(MANIFEST, other, trust)
    if verifier == "ssh-keygen":
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", trust / "revoked_keys", public], check=True)
        refusal(MANIFEST, revoked, trust)
        assert signer_of(MANIFEST, other, str(trust)) == SIGNER
    else:
        (trust / "revoked_keys").write_bytes(b"SSHKRL\n\0")
        assert "only ssh-keygen" in refusal(MANIFEST, other, trust)


def test_trust_that_cannot_be_read_lets_nobody_in(
    keys: dict[str, paramiko.PKey], trust: Path
) -> None:
    signature = sign(MANIFEST, keys["ed25519"], "key")
    (trust / "allowed_signers").unlink()
    assert signer_of(MANIFEST, signature, str(trust)) is None
    (trust / "allowed_signers").symlink_to("/nowhere")
    assert "cannot be read" in refusal(MANIFEST, signature, trust)


def test_an_old_ssh_keygen_that_cannot_verify_is_not_believed(
    keys: dict[str, paramiko.PKey], trust: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "ssh-keygen"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'ssh-keygen: unknown option -- Y' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    signature = sign(MANIFEST, keys["ed25519"], "key")
    assert signer_of(MANIFEST, signature, str(trust)) == SIGNER
    refusal(b"other", signature, trust)


def upload(folder: Path, members: dict[str, bytes]) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    sha = hashlib.sha256(buffer.getvalue()).hexdigest()
    (folder / "incoming" / f"{sha}.part").write_bytes(buffer.getvalue())
    return sha


def manifest_of(members: dict[str, bytes]) -> bytes:
    entries = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for name, data in members.items()
    }
    return json.dumps({"files": entries}).encode()


def test_nothing_of_an_unsigned_bundle_is_unpacked(
    call: Call,
    folder: Path,
    trust: Path,
    keys: dict[str, paramiko.PKey],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The trust of a device lies beside its models; the signature comes second in the tar."""
    written: list[str] = []
    monkeypatch.setattr(
        "edgeflow.ondevice.agent.archive.write_file", lambda path, _: written.append(path)
    )
    files = {"runner.py": b"pass\n"}
    manifest = manifest_of(files)
    signature = sign(manifest, keys["ed25519"], "key")
    tampered = manifest.replace(b"runner", b"Runner")
    for members in (
        {"manifest.json": manifest, **files},
        {"manifest.json": manifest, **files, "manifest.json.sig": signature},
        {"manifest.json": tampered, "manifest.json.sig": signature, "Runner.py": b"pass\n"},
        {"manifest.json": manifest, "manifest.json.sig": b"none", **files},
    ):
        code, answer = call("install", upload(folder, members))
        assert (code, answer["error"]) == (65, "rejected")
    assert written == []
    assert list((folder / "releases").iterdir()) == []
    logged = [json.loads(text) for text in (folder / "audit.log").read_text().splitlines()]
    assert [entry["error"] for entry in logged] == ["rejected"] * 4


@pytest.mark.parametrize("damage", ["file", "loop", "not mounted"])
def test_a_place_of_trust_that_cannot_be_read_lets_nobody_in(
    call: Call, folder: Path, trust: Path, damage: str
) -> None:
    """Nothing there means that all are let in; what cannot be read must not mean that."""
    shutil.rmtree(trust)
    if damage == "file":
        trust.write_bytes(b"")
    else:
        trust.symlink_to("trust" if damage == "loop" else "/mnt/not-mounted/trust")
    files = {"runner.py": b"pass\n"}
    code, answer = call("install", upload(folder, {"manifest.json": manifest_of(files), **files}))
    assert (code, answer["error"]) == (65, "rejected")
    assert call("status")[1]["trust"] == "signatures"
    assert call("status")[1]["signers"] is None


def test_a_signed_release_says_by_whom(
    call: Call, folder: Path, trust: Path, keys: dict[str, paramiko.PKey]
) -> None:
    files = {"runner.py": b"pass\n"}
    manifest = manifest_of(files)
    signature = sign(manifest, keys["p256"], "key")
    sha = upload(folder, {"manifest.json": manifest, "manifest.json.sig": signature, **files})
    assert call("install", sha)[0] == 0
    assert (folder / "releases" / sha / "manifest.json.sig").read_bytes() == signature
    assert put_in_use(call, sha)[0] == 0
    assert call("status")[1]["signed_by"] == SIGNER
    logged = [json.loads(text) for text in (folder / "audit.log").read_text().splitlines()]
    assert {entry["signed_by"] for entry in logged} == {SIGNER}

    (trust / "revoked_keys").write_text(line(keys["p256"]) + "\n")
    code, answer = put_in_use(call, sha)
    assert (code, answer["error"]) == (65, "rejected")
    (trust / "revoked_keys").unlink()
    (folder / "journal.json").unlink()  # what is known without it
    assert call("status")[1]["signed_by"] == SIGNER


def test_without_trust_what_is_unsigned_is_called_so(call: Call, folder: Path) -> None:
    files = {"runner.py": b"pass\n"}
    sha = upload(folder, {"manifest.json": manifest_of(files), **files})
    assert call("install", sha)[0] == put_in_use(call, sha)[0] == 0
    assert call("status")[1]["signed_by"] is None
    logged = [json.loads(text) for text in (folder / "audit.log").read_text().splitlines()]
    assert {entry["signed_by"] for entry in logged} == {"unsigned"}
