"""Files that a device needs beside its releases: data, samples, what services are told."""

import posixpath
from pathlib import Path

from edgeflow.artifact.hashing import sha256_file
from edgeflow.deploy.agent import QUICK_S, uploader
from edgeflow.deploy.agent_answer import ReadyForData, StoredData
from edgeflow.deploy.device.link import Link
from edgeflow.deploy.parcel import Need


class Files(Link):
    """Brings files to a device, and fetches them."""

    def send_data(self, path: Path) -> str:
        """Bring a data file to the device, once, and return its absolute path there."""
        sha = sha256_file(path)
        folder = posixpath.join(self.endpoint.path, "data")
        where = (posixpath.join(self._agent.home, folder), sha, path.name, "--uploader", uploader())
        need = Need.of_data(path)
        ready = self._call(ReadyForData, "find-data", *where, "--need-bytes", str(need.bytes))
        if not ready.stored:
            self._require_room(path, ready, need.bytes - ready.received_bytes, need.inodes)
            self._expect("find-data", ready.part[: len(sha)], sha)
            part = posixpath.join(folder, ready.part)
            self._session.put(path, part, part)
            stored = self._call(StoredData, "store-data", *where)
            self._expect("store-data", stored.path, ready.path)
        self._expect("find-data", ready.path, posixpath.join(*where[:3]))
        return ready.path

    def send_samples(self, model: str, path: Path) -> str:
        """Bring samples to the device in the place of this project's last ones; return its path."""
        remote = posixpath.join(self.endpoint.path, model, f"samples.{uploader()}.npy")
        self._session.put(path, remote)
        return posixpath.join(self._agent.home, remote)

    def send_run_file(self, model: str, path: Path) -> int:
        """Bring a file to the folder `run` of a model; return the bytes that took, if any."""
        return self._session.put(path, posixpath.join(self.endpoint.path, model, "run", path.name))

    def has_run_file(self, model: str, name: str) -> bool:
        """Tell whether the folder `run` of a model has a file."""
        path = posixpath.join(self.model_dir(model), "run", name)
        return self._session.run(["test", "-e", path], QUICK_S).exit_code == 0

    def fetch(self, remote: str, local: Path, max_bytes: int) -> None:
        """Copy a file from the device; `remote` is absolute or relative to the account's home."""
        self._session.get(remote, local, max_bytes)
