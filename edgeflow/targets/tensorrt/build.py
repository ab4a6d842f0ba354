"""Builds a TensorRT engine with trtexec: the worker, which runs on a Jetson.

Standard library alone; Python 3.7 or newer. Formats of what trtexec prints and writes are those of
TensorRT 8.5 to 10 (samples/common/sampleReporting.cpp and logger.cpp of its sources).
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple  # noqa: UP035  # of an old Python

TRTEXEC = "/usr/src/tensorrt/bin/trtexec"
BOARD = ("cat", "/proc/device-tree/model", "/etc/nv_tegra_release")
PACKAGE = ("dpkg-query", "--show", "--showformat=${Package} ${Version}", "libnvinfer-bin")
NETWORK, PLAN, CACHE = "network.onnx", "model.plan", "calibration.cache"
TIMING, LAYERS, PROFILE = "timing.cache", "layers.json", "profile.json"
OLDEST, NEWEST = (8, 5), (10, 99)


class Refused(Exception):
    """TensorRT cannot build the network; `hint` says what to try."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def work(job: Dict[str, Any], folder: Path) -> Dict[str, Any]:  # noqa: UP006
    """Write model.plan from network.onnx.

    Args:
        job: ``flags`` of the precision, ``scales`` of tensors for int8 (by name, the eight
            hexadecimal digits of a float32), ``workspace_mib`` or None.
        folder: holds the network, and gets the plan.

    Raises:
        Refused: TensorRT cannot build it, or is of a version without these flags.
    """
    built = {**board(_said(BOARD)), "tensorrt": version(_said(PACKAGE))}
    numbers = tuple(int(part) for part in built["tensorrt"].split("."))
    if not OLDEST <= numbers[:2] <= NEWEST:
        raise Refused(
            f"TensorRT {built['tensorrt']} is not supported, 8.5 to 10 are: 11 takes neither "
            "--fp16 nor a calibration cache",
            "name a Jetson with JetPack 5.1 to 7 as `compile_host`",
        )
    if job["scales"]:
        (folder / CACHE).write_text(cache(numbers, job["scales"]))
    timing = _timing_cache(built)
    if timing.is_file():
        shutil.copy(str(timing), str(folder / TIMING))
    log = _run(command(job), folder)
    answer = {"built": built, "unscaled": len(re.findall(r"\[W\].*Missing scale", log))}
    answer.update(performance(log))
    answer["layers"] = layers(_json(folder / LAYERS), _json(folder / PROFILE))
    _keep(folder / TIMING, timing)
    for name in (CACHE, LAYERS, PROFILE):
        if (folder / name).exists():
            (folder / name).unlink()
    return answer


def command(job: Dict[str, Any]) -> List[str]:  # noqa: UP006
    """Return the call of trtexec."""
    found = shutil.which("trtexec") or (TRTEXEC if os.access(TRTEXEC, os.X_OK) else None)
    if found is None:
        raise Refused(
            f"no trtexec on the PATH, nor {TRTEXEC}",
            "run `sudo apt-get install libnvinfer-bin` on the Jetson",
        )
    arguments = ["--onnx=" + NETWORK, "--saveEngine=" + PLAN, "--timingCacheFile=" + TIMING]
    arguments += list(job["flags"]) + (["--calib=" + CACHE] if job["scales"] else [])
    if job["workspace_mib"] is not None:
        arguments.append("--memPoolSize=workspace:{}".format(job["workspace_mib"]))
    # The profiler would disturb the measurement, so it has a run of its own.
    arguments += ["--separateProfileRun", "--profilingVerbosity=detailed"]
    return [found, *arguments, "--exportLayerInfo=" + LAYERS, "--exportProfile=" + PROFILE]


def _said(argv: Tuple[str, ...]) -> str:  # noqa: UP006
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        raise Refused(f"`{' '.join(argv)}` fails: {text.strip()[:200]}", "install JetPack")
    return text


def board(text: str) -> Dict[str, str]:  # noqa: UP006
    """Return the board and its version of L4T from the two files of `BOARD`."""
    model, _, rest = text.partition("#")
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", rest)
    if found is None:
        raise Refused("/etc/nv_tegra_release names no release of L4T", "install JetPack")
    return {"board": " ".join(model.replace("\0", " ").split()), "l4t": ".".join(found.groups())}


def version(text: str) -> str:
    """Return TensorRT's version with three numbers, from what dpkg-query says."""
    found = re.search(r"libnvinfer-bin (\d+\.\d+\.\d+)", text)
    if found is None:
        raise Refused(
            f"dpkg-query does not know TensorRT: {text.strip()[:200]}",
            "run `sudo apt-get install libnvinfer-bin` on the Jetson",
        )
    return found.group(1)


def cache(numbers: Tuple[int, ...], scales: Dict[str, str]) -> str:  # noqa: UP006
    """Return a calibration cache as that TensorRT writes it; others it would not read."""
    major, minor, patch = numbers[:3]
    number = major * (1000 if major < 10 else 10000) + minor * 100 + patch
    lines = [f"{name}: {scale}" for name, scale in scales.items()]
    return "\n".join([f"TRT-{number}-EntropyCalibration2", *lines, ""])


def _timing_cache(built: Dict[str, str]) -> Path:  # noqa: UP006
    """Return where the times of kernels are kept: with them equal networks get equal kernels."""
    name = re.sub(r"[^\w.-]", "_", "-".join((built["tensorrt"], built["l4t"])))
    return Path.home() / ".cache" / "edgeflow" / "tensorrt" / (name + ".timing")


def _keep(made: Path, kept: Path) -> None:
    if made.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
        shutil.copy(str(made), str(fresh))
        fresh.replace(kept)
        made.unlink()


def _run(argv: List[str], folder: Path) -> str:  # noqa: UP006
    """Run trtexec and return what it printed, which goes to the log too."""
    done = subprocess.run(
        argv,
        cwd=str(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    log = done.stdout.decode("utf-8", "replace")
    print(log, flush=True)
    plan = folder / PLAN
    made = plan.is_file() and plan.stat().st_size > 0
    if done.returncode == 0 and "&&&& PASSED TensorRT.trtexec" in log and made:
        return log
    raise Refused(*failure(log, done.returncode))


_GENERIC = re.compile(
    r"^(Failed to parse onnx file|Parsing model failed|Failed to create engine from model|"
    r"Engine set up failed|Building engine failed|Engine could not be created|"
    r"Network and Config setup failed|Builder failed|Inference set up failed)"
)
_NODE = re.compile(r"While parsing node number|--- (Begin|End) node ---|input: |output: |^name: ")
_STAMPED = re.compile(r"^(?:\[[\d/]+-[\d:]+\] )?\[([IWEVF])\] (?:\[TRT\] )?(.*)$")
_REASON = re.compile(r"^\[\d+\] ")
_HINTS = (
    (
        re.compile(
            r"out of memory|OutOfMemory|insufficient memory|Cannot allocate|bad_alloc", re.I
        ),
        "end other programs on the Jetson, or set a smaller `workspace_mib`",
    ),
    (
        re.compile(r"No importer registered|[Uu]nsupported|not supported|implementation for node"),
        "use another operator, or target kind `onnxruntime`, which also runs on a Jetson",
    ),
    (
        re.compile(r"Unknown option"),
        "name a Jetson with JetPack 5.1 to 7 as `compile_host`: this trtexec has other options",
    ),
)


def failure(log: str, code: int) -> Tuple[str, str]:  # noqa: UP006
    """Return why trtexec failed, in its own words, and what to try."""
    reason = _reason(log)
    if not reason:
        killed = code < 0 or code > 128
        why = ", likely for want of memory" if killed else " and gave no reason"
        reason = f"it ended with code {code}{why}"
    hints = [hint for pattern, hint in _HINTS if pattern.search(reason)]
    return "trtexec: " + reason, (hints or ["run trtexec with --verbose on the Jetson"])[0]


def _reason(log: str) -> str:
    """Return the first error that is neither general nor the dump of a node."""
    found = []  # type: List[str]
    inside = False
    for line in log.splitlines():
        stamped = _STAMPED.match(line)
        if stamped:
            inside = stamped.group(1) in "EF"
            if inside:
                found.append(stamped.group(2).strip())
        elif inside and found and _REASON.match(line):
            found[-1] += " " + line.strip()  # the parser's reason has a line of its own
    plain = [text for text in found if not _NODE.search(text) and not _GENERIC.match(text)]
    return " ".join((plain or found or [""])[0].split())[:500]


_SUMMARY = re.compile(r"\[I\] (Latency|GPU Compute Time|H2D Latency|D2H Latency): (.*)")
_PART = re.compile(r"([a-z]+)(?:\(([\d.]+)%\))? = ([\d.eE+-]+) ms")


def performance(log: str) -> Dict[str, Any]:  # noqa: UP006
    """Return what the performance summary says, in ms, and queries in a second."""
    times = {}  # type: Dict[str, Dict[str, float]]
    for title, rest in _SUMMARY.findall(log):
        key = title.lower().replace(" ", "_")
        times[key] = {
            ("p" + share.rstrip("0").rstrip(".") if "." in share else name[:1] + share)
            if share
            else name: float(value)
            for name, share, value in _PART.findall(rest)
        }
    throughput = re.search(r"\[I\] Throughput: ([\d.eE+-]+) qps", log)
    return {
        "times_ms": times,
        "throughput_qps": float(throughput.group(1)) if throughput else None,
    }


def layers(info: Optional[Any], profile: Optional[Any]) -> List[Dict[str, Any]]:  # noqa: UP006, UP045
    """Return the layers of the engine: name, type where it is told, and mean time in us."""
    listed = info.get("Layers", []) if isinstance(info, dict) else []
    measured = [one for one in profile or [] if isinstance(one, dict) and "name" in one]
    times = {one["name"]: one.get("averageMs", 0.0) * 1e3 for one in measured}
    named = [one if isinstance(one, dict) else {"Name": one} for one in listed]
    named = named or [{"Name": name} for name in times]
    return [
        {
            "name": str(one.get("Name", "")),
            "type": str(one.get("LayerType", "")),
            "time_us": times.get(one.get("Name")),
        }
        for one in named
    ]


def _json(path: Path) -> Optional[Any]:  # noqa: UP045
    """Return what a file holds; None where it is missing or no JSON."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
