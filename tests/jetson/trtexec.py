"""A trtexec whose plan is the network: it prints and writes what TensorRT 10.3's does.

The name of a text beside its program, `fail`, makes it print that text and fail.
"""

import json
import os
import struct
import sys
from pathlib import Path

STAMP = "[01/08/2025-10:00:00]"
NAME = "TensorRT.trtexec [TensorRT v100300] [b30]"
SUMMARY = """\
=== Performance summary ===
Throughput: 2699.06 qps
Latency: min = 0.36377 ms, max = 0.52124 ms, mean = 0.374511 ms, median = 0.372559 ms, \
percentile(90%) = 0.38 ms, percentile(95%) = 0.39 ms, percentile(99%) = 0.412598 ms
Enqueue Time: min = 0.0114746 ms, max = 0.0491943 ms, mean = 0.0136421 ms, median = 0.0130615 ms
H2D Latency: min = 0.0107422 ms, max = 0.0244141 ms, mean = 0.0117093 ms, median = 0.0115967 ms
GPU Compute Time: min = 0.339966 ms, max = 0.48999 ms, mean = 0.350241 ms, median = 0.348389 ms
D2H Latency: min = 0.0112305 ms, max = 0.0161133 ms, mean = 0.0125591 ms, median = 0.0124512 ms
Total Host Walltime: 3.00148 s
Total GPU Compute Time: 2.90482 s"""
FLAGS = {"--fp16", "--int8", "--noTF32", "--separateProfileRun"}
OPTIONS = {
    *("--onnx", "--saveEngine", "--timingCacheFile", "--calib", "--memPoolSize"),
    *("--profilingVerbosity", "--exportLayerInfo", "--exportProfile"),
}


def main(arguments: list[str]) -> int:
    """Build, measure and report."""
    called = f"# {sys.argv[0]} {' '.join(arguments)}"
    print(f"&&&& RUNNING {NAME} {called}")
    options = dict(one.split("=", 1) for one in arguments if "=" in one)
    flags = {one for one in arguments if "=" not in one}
    unknown = sorted(flags - FLAGS) + sorted(options.keys() - OPTIONS)
    failure = Path(os.environ.get("TRTEXEC_FAILS", "/nonexistent"))
    if unknown or failure.is_file():
        text = "".join(f"{STAMP} [E] Unknown option: {one} \n" for one in unknown)
        print(text or failure.read_text(), file=sys.stderr)
        print(f"&&&& FAILED {NAME} {called}")
        return 1
    calibration = Path(options["--calib"]).read_text() if "--calib" in options else ""
    network = Path(options["--onnx"]).read_bytes()
    about = json.dumps({"flags": sorted(flags), "calibration": calibration}).encode()
    plan = b"ftrt" + struct.pack(">I", len(about)) + about + network
    Path(options["--saveEngine"]).write_bytes(plan)
    timing = Path(options["--timingCacheFile"])
    timing.write_text((timing.read_text() if timing.exists() else "") + "times\n")
    layers = [{"Name": "conv + relu", "LayerType": "CaskConvolution"}, {"Name": "gemm"}]
    info = {"Layers": layers, "Bindings": []}
    Path(options["--exportLayerInfo"]).write_text(json.dumps(info))
    profile = [{"count": 500}, {"name": "conv + relu", "timeMs": 125.0, "averageMs": 0.25}]
    Path(options["--exportProfile"]).write_text(json.dumps(profile))
    for line in SUMMARY.splitlines():
        print(f"{STAMP} [I] {line}")
    print(f"{STAMP} [I] \n&&&& PASSED {NAME} {called}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
