"""Artifacts are what the formats of their update systems say, and equal each time."""

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

from edgeflow.errors import SigningError
from edgeflow.handover.keys import certificate, signing_key
from edgeflow.handover.mender import mender_artifact
from edgeflow.handover.swupdate import swupdate_image
from tests.unit.handover.conftest import bundle_of, certified, payload_of

RSA_KEY = rsa.generate_private_key(65537, 2048)
P256_KEY = ec.generate_private_key(ec.SECP256R1())
PAYLOAD = payload_of(bundle_of("a"), "/srv/edgeflow")


def untar(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {member.name: archive.extractfile(member) for member in archive}
    return {name: file.read() for name, file in members.items() if file}


def uncpio(data: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    place = 0
    while True:
        assert data[place : place + 6] == b"070702"
        fields = [int(data[place + 6 + 8 * i : place + 14 + 8 * i], 16) for i in range(13)]
        size, length, total = fields[6], fields[11], fields[12]
        begin = place + 110
        name = data[begin : begin + length - 1].decode()
        begin += length + -(110 + length) % 4
        if name == "TRAILER!!!":
            assert begin == len(data)
            return found
        found[name] = data[begin : begin + size]
        assert sum(found[name]) & 0xFFFFFFFF == total
        place = begin + size + -size % 4


def verified(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, sig: bytes, data: bytes) -> None:
    if isinstance(key, rsa.RSAPrivateKey):
        key.public_key().verify(sig, data, padding.PKCS1v15(), SHA256())
        return
    assert len(sig) == 64
    pair = encode_dss_signature(int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big"))
    key.public_key().verify(pair, data, ec.ECDSA(SHA256()))


@pytest.mark.parametrize("key", [RSA_KEY, P256_KEY], ids=["rsa", "p256"])
def test_a_mender_artifact_lists_and_signs_all_that_it_brings(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    data = mender_artifact(PAYLOAD, ["pi", "pi-4"], key)
    assert data == mender_artifact(PAYLOAD, ["pi", "pi-4"], key)
    parts = untar(data)
    assert list(parts) == ["version", "manifest", "manifest.sig", "header.tar", "data/0000.tar"]
    verified(key, base64.b64decode(parts["manifest.sig"]), parts["manifest"])
    assert untar(parts["data/0000.tar"]) == PAYLOAD.files
    held = {**parts, **{f"data/0000/{name}": file for name, file in PAYLOAD.files.items()}}
    lines = [line.split("  ") for line in parts["manifest"].decode().splitlines()]
    assert {name for _, name in lines} == {
        "header.tar", "version", *(f"data/0000/{name}" for name in PAYLOAD.files)
    }  # fmt: skip
    assert all(hashlib.sha256(held[name]).hexdigest() == digest for digest, name in lines)
    info = json.loads(untar(parts["header.tar"])["header-info"])
    assert info["artifact_depends"] == {"device_type": ["pi", "pi-4"]}
    assert "manifest.sig" not in untar(mender_artifact(PAYLOAD, ["pi"], None))


def test_a_swupdate_image_lists_and_signs_all_that_it_brings() -> None:
    signer = (RSA_KEY, certified(RSA_KEY))
    data = swupdate_image(PAYLOAD, "pi", ["1.0"], signer)
    assert data == swupdate_image(PAYLOAD, "pi", ["1.0"], signer)
    parts = uncpio(data)
    assert list(parts)[:2] == ["sw-description", "sw-description.sig"]
    (found,) = load_der_pkcs7_certificates(parts["sw-description.sig"])
    assert found == signer[1]
    text = parts["sw-description"].decode()
    for name, file in {**PAYLOAD.files, "edgeflow.sh": parts["edgeflow.sh"]}.items():
        assert parts[name] == file
        assert hashlib.sha256(file).hexdigest() in text
    assert 'hardware-compatibility = [ "1.0" ]' in text
    assert "sw-description.sig" not in uncpio(swupdate_image(PAYLOAD, "pi", ["1.0"], None))


def test_keys_that_cannot_sign_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(SigningError, match="No such file"):
        signing_key(path)
    small = rsa.generate_private_key(65537, 1024)
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(small.private_bytes(*plain))
    with pytest.raises(SigningError, match="neither RSA of 2048"):
        signing_key(path)
    locked = BestAvailableEncryption(b"secret")
    path.write_bytes(RSA_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    with pytest.raises(SigningError, match="EDGEFLOW_PASSPHRASE") as caught:
        signing_key(path)
    monkeypatch.setenv("EDGEFLOW_PASSPHRASE", "secret")
    key = signing_key(path)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert "secret" not in str(caught.value)
    other = tmp_path / "other.pem"
    other.write_bytes(certified(rsa.generate_private_key(65537, 2048)).public_bytes(Encoding.PEM))
    with pytest.raises(SigningError, match="is of another key"):
        certificate(other, key)
