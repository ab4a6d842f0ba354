"""The host's half of an upload: goes on where an earlier one was cut."""

import hashlib
from pathlib import Path

from edgeflow.deploy.channel import Program, Receipt
from edgeflow.deploy.watchdog import Watchdog

_BLOCK_BYTES = 64 << 10


class Upload:
    """A file on its way.

    Attributes:
        sent: bytes that went out, without those that were there already.
    """

    def __init__(self, local: Path, size: int) -> None:
        self._local, self._size = local, size
        self._stored = 0
        self.sent = 0

    def doing(self) -> str:
        """Return how far it is, as the device acknowledged it."""
        return f"sending {self._local.name}, {self._stored} of {self._size} bytes"

    def run(self, program: Program, dog: Watchdog) -> str:
        """Send what is missing; return the digest of what the device has then."""
        while (receipt := program.message(Receipt)).sha256 is None:
            if receipt.stored:
                return receipt.stored
            dog.touch()
        self._stored = self._offset(receipt)
        self._send(program, dog)
        while not (receipt := program.message(Receipt)).stored:
            self._acknowledge(receipt, dog)
        return receipt.stored

    def _offset(self, receipt: Receipt) -> int:
        """Return from where to send: nothing is kept that is not the start of the file."""
        if not 0 < receipt.have <= self._size:
            return 0
        digest, left = hashlib.sha256(), receipt.have
        with self._local.open("rb") as file:
            while left and (block := file.read(min(_BLOCK_BYTES, left))):
                digest.update(block)
                left -= len(block)
        return receipt.have if digest.hexdigest() == receipt.sha256 else 0

    def _send(self, program: Program, dog: Watchdog) -> None:
        with self._local.open("rb") as file:
            file.seek(self._stored)
            block = f"{self._stored}\n".encode()
            try:
                program.send(block)
                while block := file.read(_BLOCK_BYTES):
                    program.send(block)
                    self.sent += len(block)
                    while program.has_message():
                        self._acknowledge(program.message(Receipt), dog)
            except OSError as error:
                if error.errno:
                    raise
                # The device has ended it; why is what it said last.

    def _acknowledge(self, receipt: Receipt, dog: Watchdog) -> None:
        self._stored = receipt.at if receipt.at is not None else self._stored
        dog.touch()
