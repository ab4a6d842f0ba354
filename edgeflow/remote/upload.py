"""The host's half of an upload: goes on where an earlier one was cut."""

import hashlib
from pathlib import Path

from edgeflow.remote.channel import Program, Receipt
from edgeflow.remote.watchdog import Watchdog

_BLOCK_BYTES = 256 << 10
# A packet, as OpenSSH and others take it: of a larger block the rest would be copied each time.
_PACKET_BYTES = (32 << 10) - 64


class Upload:
    """A file on its way.

    Attributes:
        size: of the file, in bytes.
        sent: bytes that went out, without those that were there already.
    """

    def __init__(self, local: Path) -> None:
        self._local, self.size = local, local.stat().st_size
        self._stored = self._hashed = 0
        self._digest = hashlib.sha256()
        self.sent = 0

    @property
    def sha256(self) -> str:
        """Hex digest of what was read of the file: of all of it, once that was sent."""
        return self._digest.hexdigest()

    def doing(self) -> str:
        """Return how far it is, as the device acknowledged it."""
        return f"sending {self._local.name}, {self._stored} of {self.size} bytes"

    def run(self, program: Program, dog: Watchdog) -> str:
        """Send what is missing; return the digest of what the device has then."""
        while (receipt := self._next(program, dog)).sha256 is None:
            if receipt.stored:
                return receipt.stored
        self._stored, self._hashed = self._offset(receipt, dog), 0
        ended = self._send(program, dog)
        while not ended:
            ended = self._next(program, dog).stored
        return ended

    def _offset(self, receipt: Receipt, dog: Watchdog) -> int:
        """Return from where to send: nothing is kept that is not the start of the file."""
        if not 0 < receipt.have <= self.size:
            return 0
        left = receipt.have
        with self._local.open("rb") as file:
            while left and (block := file.read(min(_BLOCK_BYTES, left))):
                self._digest.update(block)
                left -= len(block)
                dog.touch()  # it is we who take the time
        if self.sha256 == receipt.sha256:
            return receipt.have
        self._digest = hashlib.sha256()
        return 0

    def _send(self, program: Program, dog: Watchdog) -> str | None:
        """Send the rest; return the digest if the device has said it already.

        It waits for no receipt, only for room on the way; and hears the receipts while it waits.
        """
        ended = None
        with self._local.open("rb") as file:
            file.seek(self._stored)
            try:
                program.send(f"{self._stored}\n".encode())
                while block := file.read(_PACKET_BYTES):
                    self._digest.update(block)
                    while block:
                        sent = program.send_some(block)
                        self.sent, block = self.sent + sent, block[sent:]
                        while program.has_message():
                            ended = self._next(program, dog).stored
            except OSError as error:
                if error.errno:
                    raise
                # The device has ended it; why is what it said last.
        return ended

    def _next(self, program: Program, dog: Watchdog) -> Receipt:
        """Return the next receipt; one that tells of no progress is no sign of life."""
        receipt = program.message(Receipt)
        stored, hashed = receipt.at or 0, receipt.hashed or 0
        if stored > self._stored or hashed > self._hashed:
            dog.touch()
        self._stored, self._hashed = max(stored, self._stored), max(hashed, self._hashed)
        return receipt
