"""How bundles come to a device."""

import posixpath
from dataclasses import dataclass, replace
from pathlib import Path

from edgeflow.console import say
from edgeflow.deploy.agent import Refusal, uploader
from edgeflow.deploy.agent_answer import Form, Installed, ReadyForBundle, Status, Verified
from edgeflow.deploy.device.link import Link
from edgeflow.deploy.fit import require_fit
from edgeflow.deploy.parcel import Need, Parcel, parcels
from edgeflow.ondevice.agent.uploads import upload_name

KEEP_RELEASES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """How a bundle came to a device.

    Attributes:
        bytes: how many were sent.
        form: of what was sent; None where it was there already.
        signed_by: who signed it, as the device has verified; None where nobody had to.
    """

    bytes: int
    form: Form | None
    signed_by: str | None


class Bundles(Link):
    """Brings bundles to a device, and sees whether they are whole there."""

    def install(self, model: str, bundle: Path, sha: str, status: Status) -> Sent:
        """Bring a bundle to the device, without using it yet; a cut upload is continued.

        What is sent is the smallest of its forms: of the files that releases on the device hold,
        the device makes the bundle's tar itself.

        Args:
            status: what the device has said of itself and of this very bundle.
        """
        require_fit(self.endpoint, bundle, status)
        if status.intact is not None and not (status.fault or status.pending):
            return Sent(bytes=0, form=None, signed_by=status.intact.signed_by)
        need = Need.of(bundle)
        folder, keep, mine = self.model_dir(model), str(KEEP_RELEASES), ("--uploader", uploader())
        ready = self._call(ReadyForBundle, "prepare", folder, sha, keep, *need.options(), *mine)
        if ready.intact:
            return Sent(bytes=0, form=None, signed_by=ready.signed_by)
        with parcels(bundle, ready.held, zstd=status.zstd is not None) as forms:
            smallest = min(forms, key=lambda parcel: parcel.left(ready.received))
            try:
                return self._deliver(model, sha, smallest, ready, need)
            except Refusal as refusal:  # what the device holds has changed since it was asked
                if refusal.kind not in ("absent", "corrupt") or smallest.is_whole:
                    raise
                say(f"{refusal.message}; sending all of it")
            whole = min((parcel for parcel in forms if parcel.is_whole), key=Parcel.size)
            sent = self._deliver(model, sha, whole, ready, need)
            return replace(sent, bytes=sent.bytes + smallest.size())

    def _deliver(
        self, model: str, sha: str, parcel: Parcel, ready: ReadyForBundle, need: Need
    ) -> Sent:
        received = ready.received.get(parcel.form, 0)
        self._require_room(parcel.path, ready, need.bytes - received, need.inodes)
        name = upload_name(sha, uploader(), parcel.form)
        part = posixpath.join(self.endpoint.path, model, "incoming", name)
        sent = self._session.put(parcel.path, part, part)
        how = ["--form", parcel.form, "--uploader", uploader()]
        if parcel.packed_from is not None:
            how += ["--packed-from", str(parcel.packed_from)]
        answer = self._call(Installed, "install", self.model_dir(model), sha, *how)
        self._expect("install", answer.installed, sha)
        return Sent(bytes=sent, form=parcel.form, signed_by=answer.signed_by)

    def verify(self, model: str, sha: str) -> None:
        """Check that a release is on the device, whole.

        Raises:
            DeployError: it is not.
        """
        answer = self._of_release(Verified, "verify", model, sha)
        self._expect("verify", answer.verified, sha)
