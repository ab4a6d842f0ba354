"""Runs a network as firmware of a microcontroller: on an emulator.

The first samples run as firmware, and all of them as the same C built for this machine; where both
ran, every byte must be equal. What is counted, is counted by the firmware's runs. Needs numpy, a C
compiler, and QEMU, or simavr with its library.

`engine_options`: ``model``, name of the JSON file below; ``emulated``, how many samples run as
firmware.

The JSON file describes what lies beside it:

    board       {"name", "title", "core", "clock_hz", "wait_states", "chip",
                 "emulator": {"program", "machine"}, as boards.toml has it, null for none}
    cycles      "cortex-m0", the model that estimates them; "counted", by the emulator; or ""
    elf         name of the firmware's file
    invoke_address  of the function that runs one inference
    sources     names of the network's C files, beside their headers, native.c and tensors.h
    native_flags    options of the C compiler for that
    operators   how many operators the network has
    macs        multiplications with accumulation of one inference
    io          {"inputs": [...], "outputs": [...]}: name, shape, dtype, scale and zero_point
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from typing import Any

import numpy as np

STARTING_S = 60.0
STARTING_INSTRUCTIONS = 1e7
# What the slowest host may take: of instructions for one MAC, and of those in a second.
INSTRUCTIONS_PER_MAC = 200
INSTRUCTIONS_PER_BYTE = 5000
INSTRUCTIONS_PER_S = 2e6
STACK = 4  # bytes of an answer after the outputs

PACKAGES = {
    "cc": "gcc libc6-dev",
    "qemu-system-arm": "qemu-system-arm",
    "qemu-system-riscv32": "qemu-system-misc",
}


class Engine:
    """One network; `infer` and `infer_many` take and give arrays in the order of `io`."""

    clock = "none"

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Read what lies in `folder`, and build what this machine needs of it."""
        with open(os.path.join(folder, engine_options["model"])) as file:
            self._facts = json.load(file)
        self._left = engine_options["emulated"]
        self._board = board_of(folder, self._facts)
        self._native = Native(folder, self._facts)

    def version(self) -> str:
        """Return what runs the firmware, and its version."""
        return self._board.version()

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
        samples = joined(inputs)
        answers = self._native.run(samples)
        count = min(self._left, len(samples))
        if count:
            self._left -= count
            compare(self._board.run(samples[:count]), answers[:count])
        return parted(answers, self._facts["io"]["outputs"])

    def figures(self) -> dict[str, float]:
        """Return the most that an inference took: instructions, cycles, bytes of stack."""
        if not self._board.counts:
            self._board.run(np.zeros((1, self._native.input_bytes), np.uint8))
        return dict(self._board.counts)

    def conditions(self) -> dict[str, Any]:
        """Return which board it was."""
        board = self._facts["board"]
        cpu = "%s, %g MHz" % (board["core"], board["clock_hz"] / 1e6)
        return {"cpu": cpu, "board": board["name"], "runs_on": self._board.title}


def joined(arrays: Any) -> Any:
    """Return the bytes of samples, one row for each, uint8."""
    flat = [np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8) for array in arrays]
    return np.concatenate(flat, axis=1)


def parted(answers: Any, tensors: list[dict[str, Any]]) -> list[Any]:
    """Return the outputs in rows of bytes, (n, *shape) of each."""
    found, start = [], 0
    for tensor in tensors:
        size = bytes_of(tensor)
        part = np.ascontiguousarray(answers[:, start : start + size]).view(tensor["dtype"])
        found.append(part.reshape([len(answers)] + [int(one) for one in tensor["shape"][1:]]))
        start += size
    return found


def bytes_of(tensor: dict[str, Any]) -> int:
    """Return the bytes of one sample's tensor."""
    size: int = np.prod(tensor["shape"][1:], dtype=int) * np.dtype(tensor["dtype"]).itemsize
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
        with tempfile.TemporaryDirectory() as place:  # what is loaded needs no file any more
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


def board_of(folder: str, facts: dict[str, Any]) -> Firmware:
    """Return what runs the firmware."""
    emulators = {"qemu-system-arm": Qemu, "qemu-system-riscv32": Qemu, "simavr": Simavr}
    return emulators[facts["board"]["emulator"]["program"]](folder, facts)


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
            self._keep("cycles", max(row[1] for row in rows))

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
        self._plugin = tool(folder, "plugin.c", ["-shared", "-fPIC"])

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
        plugin = "file=%s,start=%d,out=counts.txt,cycles=%d" % (
            self._plugin,
            self._facts["invoke_address"],
            bool(self._facts["cycles"]),
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
        raise RuntimeError("an answer of the firmware came damaged")
    return np.frombuffer(content + b"\0\0", np.uint8)


def found(program: str) -> str:
    """Return the path of a program; where there is none, say what installs it."""
    path = shutil.which(program)
    if path is None:
        package = PACKAGES.get(program, program)
        raise ImportError("%s; run `apt-get install %s` there" % (program, package))
    return path


def said(command: list[str]) -> str:
    """Return the first line that a program prints."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=STARTING_S,
        check=False,
    )
    return (done.stdout.splitlines() or ["unknown"])[0][:200]


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
