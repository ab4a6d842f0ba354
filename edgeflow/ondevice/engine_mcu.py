"""Runs a network as firmware of a microcontroller: on an emulator, or on a board at this host.

The first samples run as firmware, and all of them as the same C built for this machine; where both
ran, every byte must be equal. What is counted, is counted by the firmware's runs. Needs numpy, a C
compiler, and QEMU, or simavr with its library.

`engine_options`: ``model``, name of the JSON file below; ``emulated``, how many samples run as
firmware; ``unit``, which of the host's boards is meant: ``{"probe": SERIAL}`` of a debug probe that
pyOCD knows, ``{"port": "/dev/ttyACM0"}`` of an Arduino; without one it is the emulator alone.

The JSON file describes what lies beside it:

    board       {"name", "title", "core", "clock_hz", "wait_states", "chip", "programmer",
                 "emulator": {"program", "machine"}}, as boards.toml has it, null for none
    cycles      "cortex-m0", the model that estimates them; "counted", by the emulator; or ""
    profile     whose arithmetic the code equals
    mode        of the code
    elf         name of the firmware's file
    invoke_address  of the function that runs one inference
    sources     names of the network's C files, beside their headers, native.c and tensors.h
    native_flags    options of the C compiler for that
    operators   how many operators the network has
    macs        multiplications with accumulation of one inference
    io          {"inputs": [...], "outputs": [...]}: name, shape, dtype, scale and zero_point
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import termios
import time
import tty
from typing import Any

import numpy as np

STARTING_S = 60.0
STARTING_INSTRUCTIONS = 1e7
# What the slowest host may take: of instructions for one MAC, and of those in a second.
INSTRUCTIONS_PER_MAC = 200
INSTRUCTIONS_PER_BYTE = 5000
INSTRUCTIONS_PER_S = 2e6
AVR_INSTRUCTIONS_PER_S = 1e6
ANSWER_S = 3.0  # a boot loader waits for less than that
TRIES = 5
WRITING_S = 300.0
PROBE_BYTES_PER_S = 1000.0
STACK = 4  # bytes of an answer after the outputs

INSTALL = {
    "cc": "apt-get install gcc libc6-dev",
    "qemu-system-arm": "apt-get install qemu-system-arm",
    "qemu-system-riscv32": "apt-get install qemu-system-misc",
    "pyocd": "pipx install 'pyocd>=0.46'",
    "avrdude": "apt-get install avrdude",
}


class Engine:
    """One network; `infer` and `infer_many` take and give arrays in the order of `io`."""

    clock = "none"

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Read what lies in `folder`, and build what this machine needs of it."""
        with open(os.path.join(folder, engine_options["model"])) as file:
            self._facts = json.load(file)
        self._asked = self._left = engine_options["emulated"]
        self._boards = boards_of(folder, self._facts, engine_options.get("unit") or {})
        self._native = Native(folder, self._facts)

    def version(self) -> str:
        """Return what runs the firmware, and its version."""
        return ", ".join(board.version() for board in self._boards)

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale and zero point of inputs and outputs."""
        io: dict[str, Any] = self._facts["io"]
        return io

    def operators(self) -> int:
        """Return how many operators the network has."""
        return int(self._facts["operators"])

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        return self.infer_many(*inputs)

    def infer_many(self, *inputs: Any) -> list[Any]:
        """Run samples, (n, *shape) of each input."""
        samples = joined(inputs, self._facts["io"]["inputs"])
        answers = self._native.run(samples)
        count = min(self._left, len(samples))
        if count:
            self._left -= count
            for board in self._boards:
                compare(board.run(samples[:count]), answers[:count])
        return parted(answers, self._facts["io"]["outputs"])

    def figures(self) -> dict[str, float]:
        """Return the most that an inference took: instructions, cycles, bytes of stack."""
        found: dict[str, float] = {}
        for board in reversed(self._boards):  # what a real one tells goes first
            if not board.counts:
                board.run(np.zeros((1, self._native.input_bytes), np.uint8))
            found.update(board.counts)
        return found

    def conditions(self) -> dict[str, Any]:
        """Return which board it was, and how the code was made for it."""
        board = self._facts["board"]
        cpu = "%s, %g MHz" % (board["core"], board["clock_hz"] / 1e6)
        return {
            "cpu": cpu,
            "board": board["name"],
            "runs_on": ", ".join(board.title for board in self._boards),
            "samples_on_board": str(self._asked - self._left),
            "profile": self._facts["profile"],
            "mode": self._facts["mode"],
        }


def joined(arrays: Any, tensors: list[dict[str, Any]]) -> Any:
    """Return the bytes of samples, one row for each, uint8."""
    rows = [
        np.ascontiguousarray(array).view(np.uint8).reshape(-1, bytes_of(tensor))
        for array, tensor in zip(arrays, tensors)
    ]
    return np.concatenate(rows, axis=1)


def parted(answers: Any, tensors: list[dict[str, Any]]) -> list[Any]:
    """Return the outputs in rows of bytes, (n, *shape) of each."""
    found, start = [], 0
    for tensor in tensors:
        size = bytes_of(tensor)
        part = np.ascontiguousarray(answers[:, start : start + size]).view(tensor["dtype"])
        found.append(part.reshape([-1, *tensor["shape"][1:]]))
        start += size
    return found


def bytes_of(tensor: dict[str, Any]) -> int:
    """Return the bytes of one sample's tensor."""
    size: int = np.prod(tensor["shape"], dtype=int) * np.dtype(tensor["dtype"]).itemsize
    return size


def compare(firmware: Any, native: Any) -> None:
    """Fail where the firmware gave another byte than the same C on this machine."""
    differing = np.flatnonzero((firmware != native).any(axis=1))
    if len(differing):
        raise RuntimeError(
            "the firmware's outputs differ from those of the same C on this machine for %d of %d"
            " samples, first for sample %d" % (len(differing), len(native), differing[0])
        )


class Native:
    """The network's C, built for this machine."""

    def __init__(self, folder: str, facts: dict[str, Any]) -> None:
        self.input_bytes = sum(bytes_of(tensor) for tensor in facts["io"]["inputs"])
        self.output_bytes = sum(bytes_of(tensor) for tensor in facts["io"]["outputs"])
        flags = ["-shared", "-fPIC", "-I.", *facts["native_flags"]]
        # What is loaded needs no file any more; in /tmp, programs may be forbidden.
        with tempfile.TemporaryDirectory(dir=cache_folder()) as place:
            path = os.path.join(place, "network.so")
            compiled(folder, ["native.c", *facts["sources"]], flags, path)
            self._library = ctypes.CDLL(path)

    def run(self, samples: Any) -> Any:
        """Return the bytes of outputs for bytes of inputs, a row for each sample."""
        samples = np.ascontiguousarray(samples)
        answers = np.empty((len(samples), self.output_bytes), np.uint8)
        self._library.native_run(
            samples.ctypes.data_as(ctypes.c_void_p),
            answers.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int64(len(samples)),
        )
        return answers


def boards_of(folder: str, facts: dict[str, Any], unit: dict[str, Any]) -> list[Firmware]:
    """Return what runs the firmware: a real board, and the emulator, which counts.

    Beside a real board the emulator is left out where this host has none.
    """
    emulator = facts["board"]["emulator"]
    emulate = Simavr if emulator and emulator["program"] == "simavr" else Qemu
    if "probe" in unit:
        real: list[Firmware] = [Probe(folder, facts, unit["probe"])]
    elif "port" in unit:
        real = [Serial(folder, facts, unit["port"])]
    elif emulator:
        return [emulate(folder, facts)]
    else:
        text = "no emulator has the board %s; give the device a `unit`, its `probe` or `port`"
        raise RuntimeError(text % facts["board"]["name"])
    if emulator:
        with contextlib.suppress(ImportError):
            return [*real, emulate(folder, facts)]
    return real


class Firmware:
    """Runs samples as firmware; the base of all that can.

    Attributes:
        title: what that is.
        counts: the most that an inference took so far, by figure.
    """

    title = ""

    def __init__(self, folder: str, facts: dict[str, Any]) -> None:
        self.counts: dict[str, float] = {}
        self._facts = facts
        self._elf = os.path.join(os.path.abspath(folder), facts["elf"])
        self._output_bytes = sum(bytes_of(tensor) for tensor in facts["io"]["outputs"])

    def version(self) -> str:
        """Return the version of what runs the firmware."""
        raise NotImplementedError

    def run(self, samples: Any) -> Any:
        """Return the bytes of outputs for bytes of inputs, a row for each sample."""
        with tempfile.TemporaryDirectory() as place:
            answers = self._answers(samples, place)
        stack = np.ascontiguousarray(answers[:, self._output_bytes :]).view("<u4")
        self._keep("stack_bytes", float(stack.max()))
        return answers[:, : self._output_bytes]

    def _answers(self, samples: Any, place: str) -> Any:
        """Return the rows of answers, uint8: the outputs, and four bytes of used stack."""
        raise NotImplementedError

    def _keep(self, name: str, value: float) -> None:
        self.counts[name] = max(value, self.counts.get(name, 0.0))

    def _keep_counts(self, path: str, count: int) -> None:
        """Read what an emulator counted, a line for each inference."""
        with open(path) as file:
            rows = [[float(one) for one in line.split()] for line in file]
        if len(rows) != count:
            text = "the emulator counted %d inferences, not %d"
            raise RuntimeError(text % (len(rows), count))
        self._keep("instructions", max(row[0] for row in rows))
        if self._facts["cycles"]:
            cycles = max(row[1] for row in rows)
            counted = self._facts["cycles"] == "counted"
            self._keep("cycles" if counted else "cycles_estimate", cycles)
            self._keep("latency_us", 1e6 * cycles / self._facts["board"]["clock_hz"])

    def _work(self, samples: Any) -> float:
        """Return more instructions than samples take."""
        one: float = self._facts["macs"] * INSTRUCTIONS_PER_MAC
        one += (samples.shape[1] + self._output_bytes) * INSTRUCTIONS_PER_BYTE
        return STARTING_INSTRUCTIONS + len(samples) * one

    def _limit_s(self, samples: Any) -> float:
        """Return how long samples may take on a slow host, so that nothing hangs."""
        return STARTING_S + self._work(samples) / INSTRUCTIONS_PER_S


def rows_of(content: bytes, count: int, size: int) -> Any:
    """Return what came back as rows of bytes."""
    if len(content) != count * size:
        text = "the firmware answered with %d bytes, not %d"
        raise RuntimeError(text % (len(content), count * size))
    return np.frombuffer(content, np.uint8).reshape(count, size)


class Qemu(Firmware):
    """A board of QEMU, whose plug-in counts instructions."""

    def __init__(self, folder: str, facts: dict[str, Any]) -> None:
        super().__init__(folder, facts)
        emulator = facts["board"]["emulator"]
        self._program = found(emulator["program"])
        self.title = "QEMU's %s" % emulator["machine"]
        major = re.search(r"version (\d+)", self.version())
        api = 2 if major and int(major.group(1)) >= 9 else 1
        self._plugin = tool(folder, "plugin.c", ["-shared", "-fPIC", "-DAPI=%d" % api])

    def version(self) -> str:
        """Return QEMU's version."""
        return said([self._program, "--version"])

    def _answers(self, samples: Any, place: str) -> Any:
        samples.tofile(os.path.join(place, "in.bin"))
        execute(self._command(), place, self._limit_s(samples), "QEMU")
        with open(os.path.join(place, "out.bin"), "rb") as file:
            answers = rows_of(file.read(), len(samples), self._output_bytes + STACK)
        self._keep_counts(os.path.join(place, "counts.txt"), len(samples))
        return answers

    def _command(self) -> list[str]:
        estimated = self._facts["cycles"] == "cortex-m0"
        plugin = "file=%s,start=%d,out=counts.txt,cycles=%d,wait=%d" % (
            self._plugin.replace(",", ",,"),  # as QEMU takes a comma of a path
            self._facts["invoke_address"],
            estimated,
            self._facts["board"]["wait_states"] if estimated else 0,
        )
        bios = ["-bios", "none"] if "riscv" in self._program else []
        return [
            *(self._program, "-M", self._facts["board"]["emulator"]["machine"], *bios),
            *("-nographic", "-monitor", "none", "-serial", "none", "-net", "none"),
            *("-semihosting-config", "enable=on,target=native"),
            *("-plugin", plugin, "-kernel", self._elf),
        ]


class Simavr(Firmware):
    """An AVR chip of simavr, whose instructions and cycles are counted."""

    def __init__(self, folder: str, facts: dict[str, Any]) -> None:
        super().__init__(folder, facts)
        self.title = "simavr's %s" % facts["board"]["emulator"]["machine"]
        found("cc")
        try:
            self._driver = tool(folder, "simavr.c", ["-lsimavr", "-lelf"])
        except RuntimeError as error:
            text = "simavr's library; run `apt-get install libsimavr-dev libelf-dev` there (%s)"
            raise ImportError(text % error) from error

    def version(self) -> str:
        """Return simavr's name; its library tells no version."""
        return "simavr"

    def _answers(self, samples: Any, place: str) -> Any:
        with open(os.path.join(place, "port.in"), "wb") as file:
            file.writelines(asked(sample.tobytes()) for sample in samples)
        size = answer_bytes(self._output_bytes)
        execute(self._command(samples, size), place, self._limit_s(samples), "simavr")
        with open(os.path.join(place, "port.out"), "rb") as file:
            frames = rows_of(file.read(), len(samples), size)
        self._keep_counts(os.path.join(place, "counts.txt"), len(samples))
        return np.array([answered(frame.tobytes()) for frame in frames])

    def _command(self, samples: Any, size: int) -> list[str]:
        board, invoke = self._facts["board"], self._facts["invoke_address"]
        chip = [self._elf, board["emulator"]["machine"], board["clock_hz"], invoke]
        cycles = int(4 * self._work(samples))
        files = ["port.in", "port.out", len(samples) * size, "counts.txt", cycles]
        return [self._driver, *(str(one) for one in (*chip, *files))]


class Probe(Firmware):
    """A board at a debug probe, which pyOCD drives; the firmware reads and writes files here."""

    def __init__(self, folder: str, facts: dict[str, Any], probe: str) -> None:
        super().__init__(folder, facts)
        self.title = "the board at probe %s" % probe
        chip = facts["board"]["chip"]
        if chip is None:
            text = "the board %s needs a `chip`, pyOCD's name of it: see `pyocd list --targets`"
            raise RuntimeError(text % facts["board"]["name"])
        # Without a probe of that number it is to end, not to wait for one.
        self._which = ["--no-wait", "--no-config", "--uid=%s" % probe, "--target=%s" % chip]
        self._program = found("pyocd")
        self._written = False

    def version(self) -> str:
        """Return pyOCD's version."""
        return "pyocd %s" % said([self._program, "--version"])

    def _answers(self, samples: Any, place: str) -> Any:
        if not self._written:
            load = [self._program, "load", *self._which, self._elf]
            execute(load, place, WRITING_S, "pyocd load")
            self._written = True
        samples.tofile(os.path.join(place, "in.bin"))
        limit_s = self._limit_s(samples) + samples.size / PROBE_BYTES_PER_S
        run = ["run", *self._which, "--eot", "--timelimit=%d" % limit_s]
        text = execute([self._program, *run], place, limit_s + STARTING_S, "pyocd run")
        path = os.path.join(place, "out.bin")
        if not os.path.exists(path):
            raise RuntimeError("the firmware did not start: %s" % text.strip()[-1000:])
        with open(path, "rb") as file:
            return rows_of(file.read(), len(samples), self._output_bytes + STACK)


class Serial(Firmware):
    """An Arduino at a serial port, whose flash avrdude writes."""

    def __init__(self, folder: str, facts: dict[str, Any], port: str) -> None:
        super().__init__(folder, facts)
        self.title = "the board at %s" % port
        if facts["board"].get("programmer") is None:
            text = "the board %s needs a `programmer`, avrdude's name of what writes its flash"
            raise RuntimeError(text % facts["board"]["name"])
        self._port = port
        self._program = found("avrdude")
        self._written = False

    def version(self) -> str:
        """Return avrdude's version."""
        told = re.search(r"[Vv]ersion (\d[^,\s]*)", said([self._program, "-v"]))
        return "avrdude %s" % (told.group(1) if told else "of unknown version")

    def _answers(self, samples: Any, place: str) -> Any:
        if not self._written:
            board = self._facts["board"]
            chip = ["-p", board["chip"], "-c", board["programmer"], "-P", self._port]
            write = [*chip, "-b", "115200", "-D", "-U", "flash:w:%s:e" % self._elf]
            execute([self._program, *write], place, WRITING_S, "avrdude")
            self._written = True
        line = os.open(self._port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            prepare(line)
            limit_s = ANSWER_S + self._work(samples[:1]) / AVR_INSTRUCTIONS_PER_S
            size = answer_bytes(self._output_bytes)
            return np.array([exchange(line, one.tobytes(), size, limit_s) for one in samples])
        finally:
            os.close(line)


def prepare(line: int) -> None:
    """Set a serial line to 500,000 bits a second, 8 bits, no parity, and no flow control."""
    tty.setraw(line)
    settings = termios.tcgetattr(line)
    settings[4] = settings[5] = termios.B500000
    settings[2] = settings[2] & ~termios.CRTSCTS | termios.CLOCAL | termios.CREAD
    termios.tcsetattr(line, termios.TCSANOW, settings)


def exchange(line: int, sample: bytes, size: int, limit_s: float) -> Any:
    """Return the answer to a sample; it is sent again where either came damaged.

    A board that was just opened starts anew, and does not hear the first sample.
    """
    reason = "nothing"
    for _ in range(TRIES):
        termios.tcflush(line, termios.TCIOFLUSH)
        send(line, asked(sample), limit_s)
        frame = receive(line, size, limit_s)
        try:
            return answered(frame)
        except ValueError as error:
            reason = str(error)
    text = "the board did not answer in %d tries, each of %.0f s: %s"
    raise RuntimeError(text % (TRIES, limit_s, reason))


def send(line: int, content: bytes, limit_s: float) -> None:
    """Write all bytes to a line, as far as it takes them in time."""
    end = time.monotonic() + limit_s
    while content and select.select([], [line], [], max(0.0, end - time.monotonic()))[1]:
        content = content[os.write(line, content) :]


def receive(line: int, size: int, limit_s: float) -> bytes:
    """Return the bytes that come until there are enough, or the time is over."""
    content, end = b"", time.monotonic() + limit_s
    while len(content) < size and content != b"N":
        if not select.select([line], [], [], max(0.0, end - time.monotonic()))[0]:
            break
        part = os.read(line, size - len(content))
        if not part:  # of a line that is gone, for which no time limit counts
            raise RuntimeError("the serial port closed: was the board unplugged?")
        content += part
    return content


def crc16(content: bytes) -> bytes:
    """Return the checksum of a frame, CRC-16/MCRF4XX, its low byte first."""
    value = 0xFFFF
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return bytes((value & 255, value >> 8))


def asked(sample: bytes) -> bytes:
    """Return the frame of a sample, as firmware with a serial port takes it."""
    return b"S" + sample + crc16(sample)


def answer_bytes(output_bytes: int) -> int:
    """Return the size of an answer's frame: its letter, the outputs, used stack, checksum."""
    return 1 + output_bytes + 2 + 2


def answered(frame: bytes) -> Any:
    """Return what an answer's frame holds, as a row of answers."""
    content = frame[1:-2]
    if frame[:1] != b"A" or frame[-2:] != crc16(content):
        raise ValueError("%d bytes came that are no answer" % len(frame))
    return np.frombuffer(content + b"\0\0", np.uint8)


def found(program: str) -> str:
    """Return the path of a program; where there is none, say what installs it."""
    path = shutil.which(program)
    if path is None:
        raise ImportError("%s; run `%s` there" % (program, INSTALL[program]))
    return path


def said(command: list[str]) -> str:
    """Return the first line of text that a program prints."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=STARTING_S,
        check=False,
    )
    return next(filter(None, map(str.strip, done.stdout.splitlines())), "unknown")[:200]


def execute(command: list[str], place: str, limit_s: float, title: str) -> str:
    """Run a program in a folder, and return what it printed."""
    try:
        done = subprocess.run(
            command,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError("%s did not end within %.0f s" % (title, limit_s)) from None
    text = done.stdout.decode(errors="replace").replace("\x04", "")
    if done.returncode != 0:
        text = text.strip()[-1000:] or "it said nothing"
        raise RuntimeError("%s ended with exit code %d: %s" % (title, done.returncode, text))
    return text


def compiled(folder: str, sources: list[str], flags: list[str], path: str) -> None:
    """Build a file from C sources in a folder."""
    part = "%s.%d" % (path, os.getpid())  # another process may build the same
    execute([found("cc"), "-O2", *sources, *flags, "-o", part], folder, 600.0, "cc")
    os.replace(part, path)


def tool(folder: str, source: str, flags: list[str]) -> str:
    """Return the path of what a source becomes, the same for all networks and built once."""
    with open(os.path.join(folder, source), "rb") as file:
        digest = hashlib.sha256(file.read() + json.dumps(flags).encode()).hexdigest()
    path = os.path.join(cache_folder(), "%s-%s" % (source, digest[:32]))
    if not os.path.exists(path):
        compiled(folder, [source], flags, path)
    return path


def cache_folder() -> str:
    """Return the folder of what was built here, which no other user may write to."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = os.path.join(base, "edgeflow-mcu")
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path
