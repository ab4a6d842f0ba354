"""Runs one program, or moves one file, for a host at the other end of an SSH channel.

The host starts ``python -I -S -c 'import sys;exec(eval(sys.stdin.buffer.readline()))'`` with this
text as the first line of standard input, so nothing has to be installed before. Whatever a login
script prints comes first; a line of ours begins with the host's nonce, and is JSON after it.

Standard library only; any Python 3.5, to tell an old one from none. Imports nothing of edgeflow.
"""

import errno
import fcntl
import hashlib
import json
import os
import select
import signal
import stat
import sys
import time
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    import io
    import threading

BLOCK_BYTES = 256 << 10
# Few enough not to slow a fast link down; a slow one is seen to be alive by the time.
RECEIPT_BYTES = 1 << 20
RECEIPT_S = 0.5
# Often enough that neither a slow disk nor a slow hash looks like a standstill.
SYNC_BYTES = 8 << 20
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def say(**message: object) -> None:
    """Send a message to the host, after all that was written before it."""
    line = sys.argv[1] + " " + json.dumps(message, sort_keys=True) + "\n"
    sys.stdout.buffer.write(line.encode())
    sys.stdout.buffer.flush()


def run(limit_s: str, folder: str, *argv: str) -> None:
    """Run a program until it ends, its time is over, or the host is gone; ``-`` is this Python.

    Its process group ends with it: nothing that it started goes on. Only the monotonic clock
    decides; a device without a clock of its own may set its time at any moment.
    """
    import subprocess  # moving a file needs none, and it starts sooner

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # A group of its own, but this session: whoever ends the whole session ends it too.
    program = [sys.executable if argv[0] == "-" else argv[0], *argv[1:]]
    child = subprocess.Popen(
        program, cwd=folder or None, stdin=subprocess.DEVNULL, preexec_fn=os.setpgrp
    )
    end = watch(child.pid, time.monotonic() + float(limit_s), reader)
    os.killpg(child.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
    say(end=end, code=child.wait())


def watch(pid: int, deadline: float, reader: int) -> str:
    """Wait for a child's end, the deadline or the end of standard input; say which it was."""
    while not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return "overdue"
        ready = select.select([0, reader], [], [], left_s)[0]
        if reader in ready:
            os.read(reader, 512)
        if 0 in ready and not os.read(0, 512):
            return "abandoned"
    return "exit"


def receive(part: str, path: str, size: str, sha256: str, idle_s: str) -> None:
    """Write a file from standard input, and go on where an earlier upload of it was cut.

    It is written as `part` and renamed to `path` once all of it is there, with the digest `sha256`;
    if they are the same, it stays as it came, for others to judge. Without input for
    `idle_s` it ends: a server does not notice that a network is gone, and the next try waits.
    """
    os.umask(0o022)
    if path != part and os.path.isfile(path) and digest_of(path) == sha256:
        say(stored=sha256)
        return
    os.makedirs(os.path.dirname(part) or ".", exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o644), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # another host may send the same
        try:
            stored = write(file, int(size), int(idle_s))
        except OSError as error:
            if error.errno in DISK_FULL:
                os.unlink(part)  # a full disk needs the space more than the next try
            raise
        if path != part and stored == sha256:
            os.replace(part, path)
        elif path != part:
            os.unlink(part)
    say(stored=stored)


def write(file: BinaryIO, size: int, idle_s: int) -> str:
    """Take the rest of a file, from the byte that the host says, and acknowledge what came.

    It is hashed and brought to the disk as it comes: a link may be as fast as either. What the
    digest says of the disk itself is no more than if it were read back out of memory.

    Returns the hex SHA-256 of all of it.
    """
    result = hashed(file)
    have = file.tell()
    say(sha256=result.hexdigest(), have=have)
    signal.alarm(idle_s)  # whose signal ends this process
    done = int(sys.stdin.buffer.readline())
    if done != have:  # what was there is not the beginning of it
        result = hashlib.sha256()
    file.seek(done)
    file.truncate()
    source, disk = cast("io.BufferedReader", sys.stdin.buffer), Disk(file.fileno())
    said, said_s = done, time.monotonic()
    while done < size:
        signal.alarm(idle_s)
        block = source.read1(min(BLOCK_BYTES, size - done))  # as much as there is
        if not block:
            sys.exit("the host is gone")
        result.update(block)
        file.write(block)
        file.flush()
        done += len(block)
        if done % SYNC_BYTES < len(block) or done == size:
            signal.alarm(0)
            disk.sync(last=done == size)
        now_s = time.monotonic()
        if done == size or done - said >= RECEIPT_BYTES or now_s - said_s >= RECEIPT_S:
            say(at=done)
            said, said_s = done, now_s
    signal.alarm(0)
    return result.hexdigest()


class Disk:
    """Brings a file to the disk while more of it comes; it waits for no more than two parts."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.thread = cast("threading.Thread | None", None)
        self.error = cast("OSError | None", None)

    def sync(self, last: bool) -> None:
        """Bring all that was written to the disk: soon, or now if it is the `last`."""
        if self.thread is not None:
            self.thread.join()
        if last:
            self.bring()
        if self.error is not None:
            raise self.error
        if not last:
            import threading  # a small file needs none, and what receives it starts sooner

            self.thread = threading.Thread(target=self.bring)
            self.thread.start()

    def bring(self) -> None:
        """Wait for the disk; what it says is raised where something waits for it."""
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            self.error = error


def send(path: str, limit: str) -> None:
    """Write a plain file of at most `limit` bytes to standard output, after its size."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "not a plain file")
        if facts.st_size > int(limit):
            raise OSError(errno.EFBIG, "it has {} bytes".format(facts.st_size))
        say(size=facts.st_size)
        for block in iter(lambda: file.read(BLOCK_BYTES), b""):
            sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()


def digest_of(path: str) -> str:
    """Return the hex SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashed(file).hexdigest()


def hashed(file: BinaryIO) -> "hashlib._Hash":
    """Return the SHA-256 of an open file, read to its end; the host hears that it goes on."""
    result, done = hashlib.sha256(), 0
    file.seek(0)
    for block in iter(lambda: file.read(BLOCK_BYTES), b""):
        result.update(block)
        done += len(block)
        if done % SYNC_BYTES < len(block):
            say(hashed=done)
    return result


def main() -> None:
    """Do what the command line says: nonce, verb, arguments."""
    say(version=sys.version_info[:3], home=os.getcwd(), python=sys.executable)
    try:
        globals()[sys.argv[2]](*sys.argv[3:])
    except OSError as error:
        code = errno.errorcode.get(error.errno or 0, "?")
        say(failed=code, detail=error.strerror or str(error))


if __name__ == "__main__":
    main()
