"""Whether a bundle and a device fit each other: before any byte is sent."""

from collections.abc import Collection
from pathlib import Path

from edgeflow.bundle.manifest import read_bundle, signature_in
from edgeflow.deploy.agent_answer import Status
from edgeflow.errors import DeployError, IntegrityError
from edgeflow.ondevice.agent.signature import fingerprint
from edgeflow.ondevice.agent.sshsig import Signature, Unreadable
from edgeflow.remote.inventory import Endpoint


def require_fit(endpoint: Endpoint, bundle: Path, status: Status) -> None:
    """Refuse what the device would refuse, and a device that would not ask who signed a bundle.

    Args:
        endpoint: of the device.
        bundle: the tar.
        status: what the device says of itself.

    Raises:
        DeployError: the bundle is for another kind of machine; or it is not signed, or not
            verified, where it must be; or by a key that may not sign.
        IntegrityError: `bundle` is not one, or its signature is unusable.
    """
    machines = read_bundle(bundle).device_class.machines
    if machines and status.machine not in machines:
        raise DeployError(
            f"{bundle} is for {' or '.join(machines)}, and device {endpoint.name} is "
            f"{status.machine}",
            hint=f"give {endpoint.name} a target for {status.machine}",
        )
    if endpoint.trust == "signatures" and status.trust == "transport":
        raise DeployError(
            f"device {endpoint.name} does not verify who signed a bundle: it has no "
            f"{endpoint.path}/trust/allowed_signers",
            hint=f"run `edgeflow device provision {endpoint.argument}`; or set `trust: transport` "
            f"of {endpoint.name}, so that whoever can log in decides what it runs",
        )
    signature = signature_in(bundle)
    if status.trust == "signatures" and signature is None:
        raise DeployError(
            f"device {endpoint.name} takes only signed bundles, and {bundle} is not signed",
            hint="name the key that signs: `signing: {key: ~/.ssh/KEY}`; `edgeflow help "
            "security.md` says how",
        )
    if signature is not None and status.signers is not None:
        _require_signer(endpoint, bundle, signature, status.signers)


def _require_signer(
    endpoint: Endpoint, bundle: Path, signature: bytes, signers: Collection[str]
) -> None:
    try:
        key = fingerprint(Signature(signature).key)
    except Unreadable as error:
        raise IntegrityError(
            f"the signature of {bundle} is unusable: {error}",
            hint=f"delete {bundle} and run `edgeflow run` again",
        ) from error
    if key not in signers:
        raise DeployError(
            f"device {endpoint.name} does not let the key {key}, which signed {bundle}, sign "
            f"bundles; it lets {', '.join(sorted(signers)) or 'none'}",
            hint=f"if that key is to sign: edgeflow device provision {endpoint.argument}; else "
            "name the key that did: `signing: {key: …}`",
        )
