"""Who signed a manifest, and whether that account may.

What is trusted lies on the device, in `trust/` beside the models: `allowed_signers`, in the form of
`ssh-keygen -Y verify`, and `revoked_keys`. Without allowed signers nothing has to be signed.
No date counts, because a device's clock may never have been set.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import shlex

from .answer import Refused
from .ed25519 import ORDER
from .files import read_plain
from .manifest import MANIFEST, MANIFEST_MAX_BYTES, SIGNATURE
from .sshsig import ED25519, Signature, Unreadable, key_of, value_of

TRUST = "trust"
ALLOWED, REVOKED = "allowed_signers", "revoked_keys"
NAMESPACE = "edgeflow-bundle@edgeflow"
SIGNATURE_MAX_BYTES = 16 << 10
TRUST_MAX_BYTES = 1 << 20
KRL = b"SSHKRL\n"  # revoked keys as `ssh-keygen -k` writes them
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9@._+-]{0,99}")
VERIFY_S = 60.0
REFUSED = 255  # ssh-keygen's exit code where it could verify, and says no


def signer_of(manifest: bytes, signature: bytes | None, trust_dir: str) -> str | None:
    """Return the name of who signed a manifest; None where nothing has to be signed.

    Raises:
        Refused: as `rejected`, where it must be signed, and is not by an allowed signer.
    """
    if not there(trust_dir, ALLOWED):
        return None
    if signature is None:
        raise rejected("it is not signed, and this device takes only what is")
    try:
        found = Signature(signature)
        signer = allowed_name(found, trusted(trust_dir, ALLOWED))
        binary = refuse_revoked(found, trust_dir)
        canonical(found)
        good = by_program(signer, signature, manifest, trust_dir)
        if good is None and binary:
            raise rejected(f"{TRUST}/{REVOKED} is a binary list, which only ssh-keygen can read")
        good = found.verifies(manifest) if good is None else good
    except Unreadable as error:
        raise rejected(f"its signature is unusable: {error}") from error
    if not good:
        raise rejected("its signature is not one of this manifest")
    return signer


def signer_of_release(release: str, trust_dir: str) -> str | None:
    """Return who signed an installed release: see `signer_of`."""
    path = os.path.join(release, SIGNATURE)
    try:
        manifest = read_plain(os.path.join(release, MANIFEST), MANIFEST_MAX_BYTES)
        signature = read_plain(path, SIGNATURE_MAX_BYTES) if os.path.lexists(path) else None
    except OSError as error:
        raise Refused("corrupt", f"{release} cannot be read: {error}") from error
    return signer_of(manifest, signature, trust_dir)


def signers(trust_dir: str) -> list[str] | None:
    """Return the fingerprints of the keys that may sign; None where that cannot be told.

    A key that a binary list of revoked ones names is among them: only ssh-keygen reads that.
    """
    try:
        if not there(trust_dir, ALLOWED):
            return None
        allowed = lines_of(trusted(trust_dir, ALLOWED))
        listed = there(trust_dir, REVOKED)
        revoked = {blob_in(it) for it in lines_of(trusted(trust_dir, REVOKED))} if listed else set()
    except Refused:
        return None
    keys = {key for key in map(key_allowed, allowed) if key is not None} - revoked
    return sorted(map(fingerprint, keys))


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of a key, as `ssh-keygen -l` prints it."""
    digest = base64.b64encode(hashlib.sha256(key).digest())
    return "SHA256:" + digest.decode().rstrip("=")


def rejected(detail: str) -> Refused:
    """Return the refusal of a bundle."""
    return Refused("rejected", detail)


def must_sign(trust_dir: str) -> bool:
    """Tell whether bundles must be signed, as they must where that cannot be told."""
    try:
        return there(trust_dir, ALLOWED)
    except Refused:
        return True


def there(trust_dir: str, name: str) -> bool:
    """Tell whether there is a file of trust; where that cannot be told, nobody is let in."""
    try:
        os.lstat(os.path.join(trust_dir, name))
    except FileNotFoundError:
        if os.path.islink(trust_dir) and not os.path.isdir(trust_dir):
            # A disk that is not mounted, perhaps.
            raise rejected(f"{TRUST} points at a folder that is not there") from None
        return False
    except OSError as error:
        raise rejected(f"{TRUST}/{name} cannot be read: {error}") from error
    return True


def trusted(trust_dir: str, name: str) -> bytes:
    """Return what a file of trust holds; one that cannot be read lets nobody in."""
    try:
        return read_plain(os.path.join(trust_dir, name), TRUST_MAX_BYTES)
    except OSError as error:
        raise rejected(f"{TRUST}/{name} cannot be read: {error}") from error


def allowed_name(signature: Signature, allowed: bytes) -> str:
    """Return the name that the allowed signers give the key, for our namespace."""
    if signature.namespace != NAMESPACE:
        raise rejected(f"its signature is one for {signature.namespace!r}")
    for line in lines_of(allowed):
        name = name_in(line, signature.key)
        if name is not None:
            return name
    raise rejected("its key is none of the allowed signers")


def lines_of(data: bytes) -> list[str]:
    """Return the lines that say something."""
    lines = (line.strip() for line in data.decode("utf-8", "replace").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def name_in(line: str, key: bytes) -> str | None:
    """Return the name that a line of allowed signers gives a key; None if it gives none.

    A line with an option that we do not know, such as a date, allows nobody.
    """
    return line.partition(" ")[0] if key_allowed(line) == key else None


def key_allowed(line: str) -> bytes | None:
    """Return the key that a line of allowed signers lets sign for us; None if it lets none."""
    name, _, rest = line.partition(" ")
    rest = rest.strip()
    blob = blob_in(rest)
    if blob is None:
        options, _, rest = rest.partition(" ")
        blob = blob_in(rest.strip()) if for_us(options) else None
    return blob if NAME.fullmatch(name) else None


def for_us(options: str) -> bool:
    """Tell whether the options of a line name our namespace, and nothing else."""
    option, _, value = options.partition("=")
    try:
        values = shlex.split(value)
    except ValueError:
        return False
    return option == "namespaces" and len(values) == 1 and NAMESPACE in values[0].split(",")


def blob_in(text: str) -> bytes | None:
    """Return the key in ``KIND BASE64 COMMENT``; None if the text is none."""
    kind, *rest = text.split()[:2]
    try:
        blob = base64.b64decode(rest[0].encode("ascii", "replace"), validate=True)
        return blob if blob[4 : 4 + len(kind)] == kind.encode() else None
    except (binascii.Error, IndexError):
        return None


def refuse_revoked(signature: Signature, trust_dir: str) -> bool:
    """Refuse a key that is revoked; return whether the list is one that ssh-keygen must read."""
    if not there(trust_dir, REVOKED):
        return False
    revoked = trusted(trust_dir, REVOKED)
    if revoked.startswith(KRL):
        return True
    for line in lines_of(revoked):
        blob = blob_in(line)
        if blob is None:
            raise rejected(f"a line of {TRUST}/{REVOKED} is no key: {line[:100]!r}")
        if blob == signature.key:
            raise rejected("its key is revoked")
    return False


def canonical(signature: Signature) -> None:
    """Refuse a kind of key or a form of signature that not all verifiers judge alike."""
    kind, _ = key_of(signature.key)
    value = value_of(kind, signature.value)
    # Some versions of ssh-keygen take S and S + ORDER for the same.
    if kind == ED25519 and int.from_bytes(value[32:], "little") >= ORDER:
        raise Unreadable("it is a second form of another signature")


def by_program(signer: str, signature: bytes, manifest: bytes, trust_dir: str) -> bool | None:
    """Let ssh-keygen verify; None where there is none that can."""
    import shutil
    import subprocess
    import tempfile

    path = shutil.which("ssh-keygen")
    if path is None:
        return None
    with tempfile.NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        command = [path, "-Y", "verify", "-n", NAMESPACE, "-I", signer, "-s", file.name]
        command += ["-f", os.path.join(trust_dir, ALLOWED)]
        if there(trust_dir, REVOKED):
            command += ["-r", os.path.join(trust_dir, REVOKED)]
        pipe = subprocess.PIPE
        try:
            done = subprocess.run(
                command, input=manifest, stdout=pipe, stderr=pipe, timeout=VERIFY_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    # Those before OpenSSH 8.1 cannot, and say so by another exit code.
    return done.returncode == 0 if done.returncode in (0, REFUSED) else None
