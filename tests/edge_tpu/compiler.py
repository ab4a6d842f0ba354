"""A stand-in for `edgetpu_compiler`: what the real one prints and leaves, case by case.

`install` of this package puts CASE above. The model that it writes is the one that it was given, so
an interpreter runs it without an Edge TPU; in segments, it is cut into as many parts.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

CASE = globals().get("CASE", "plain")
VERSION = "Edge TPU Compiler version 16.0.384591198"
TIMER = "Started a compilation timeout timer of 180 seconds."
DONE = "Compilation child process completed within timeout period."
LARGE = "Compilation failed: Compilation failed due to large activation tensors in model."
IN_TFLITE = (
    "Compilation failed: Model failed in Tflite interpreter. "
    "Please ensure model can be loaded/run in Tflite interpreter."
)
UNSUPPORTED = "Operation is working on an unsupported data type"
SECOND = "More than one subgraph is not supported"
REFUSALS = {
    "large": ["ERROR: Restored original execution plan after delegate application failure.", LARGE],
    "dynamic": [
        "ERROR: Attempting to use a delegate that only supports static-sized tensors with a graph "
        "that has dynamic-sized tensors.",
        IN_TFLITE,
    ],
    "custom": [
        "ERROR: Encountered unresolved custom op: Atan.",
        "ERROR: Node number 1 (Atan) failed to prepare.",
        "",
        IN_TFLITE,
    ],
    "timeout": ["Compilation timeout. This is usually caused by large activations."],
    "wordless": [],
}
"""What version 16 prints between its timer and `Compilation failed!`."""
EARLY = {
    "float": ["Model not quantized"],
    "version": [
        "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '6'. An older version of this "
        "builtin might be supported. Are you using an old TFLite binary with a newer model?",
        "",
        "ERROR: Registration failed.",
        "",
        "Invalid model: model.tflite",
        "Model could not be parsed",
    ],
    "internal": ["Internal compiler error. Aborting! "],
    "mute": [],
}
"""What it prints before it starts its timer."""


def main() -> int:
    """Do what the command line and CASE say."""
    asked = arguments()
    print(VERSION)
    if asked.version:
        return 0
    model = Path(asked.model)
    content = model.read_bytes()
    if content[4:8] != b"TFL3":
        print(f"Invalid model: {model}\nModel could not be parsed")
        return 1
    if CASE == "hangs":
        time.sleep(600)
    early = "internal" if CASE == "flaky" and first_time() else CASE
    if early in EARLY:
        print("\n".join(EARLY[early]))
        return 0 if CASE == "mute" else 1
    if asked.search_delegate:
        search()
    if CASE in REFUSALS and not asked.search_delegate:
        print("\n".join([TIMER, *REFUSALS[CASE], DONE, "Compilation failed! "]))
        return 0 if CASE == "wordless" else 1
    for name, part in parts(model.stem, content, asked.num_segments):
        succeed(name, part, Path(asked.out_dir))
    return 0


def arguments() -> argparse.Namespace:
    """Return the command line, with the options of version 16."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-v", "--version", action="store_true")
    parser.add_argument("-o", "--out_dir", default=".")
    parser.add_argument("-s", "--show_operations", action="store_true")
    parser.add_argument("-m", "--min_runtime_version", type=int, choices=range(10, 15))
    parser.add_argument("-d", "--search_delegate", action="store_true")
    parser.add_argument("-n", "--num_segments", type=int, default=1)
    parser.add_argument("-a", action="store_true")
    parser.add_argument("-t", "--timeout_sec", type=int, default=180)
    parser.add_argument("model", nargs="?")
    return parser.parse_args()


def first_time() -> bool:
    """Return whether the program runs for the first time since it was installed."""
    mark = Path(sys.argv[0]).with_suffix(".ran")
    first = not mark.exists()
    mark.touch()
    return first


def search() -> None:
    """Print the attempts that fail before one works."""
    print("Searching for valid delegate with step 1")
    for count in (12, 11):
        print(f"Try to compile segment with {count} ops")
        print("\n".join([TIMER, LARGE, DONE, "Compilation failed! "]))
    print("Try to compile segment with 10 ops\nIntermediate tensors: a;b,c")


def parts(stem: str, content: bytes, count: int) -> list[tuple[str, bytes]]:
    """Return names and bytes of the models that are compiled: one, or the segments of one."""
    if count == 1:
        return [(stem, content)]
    names = [f"{stem}_segment_{place}_of_{count}" for place in range(count)]
    return list(zip(names, cut(content, count), strict=True))


def succeed(name: str, content: bytes, out: Path) -> None:
    """Write a compiled model with its log, and print what the real one prints of it."""
    written = {"empty": b"", "damaged": content[:100]}.get(CASE, content)
    if CASE != "liar":
        (out / f"{name}_edgetpu.tflite").write_bytes(written)
    rows = table(content)
    on_cpu = sum(count for _, count, status in rows if status != "Mapped to Edge TPU")
    total = sum(count for _, count, _ in rows)
    operators = [f"{name:<30} {count:<10} {status}" for name, count, status in rows]
    head = ["Operator                       Count      Status", ""]
    log = [VERSION, f"Input: {name}.tflite", f"Output: {name}_edgetpu.tflite", "", *head]
    (out / f"{name}_edgetpu.log").write_text("\n".join([*log, *operators, ""]))
    partial = [
        "",
        "Model successfully compiled but not all operations are supported by the Edge TPU.",
        f"Number of operations that will run on Edge TPU: {total - on_cpu}",
        f"Number of operations that will run on CPU: {on_cpu}",
    ]
    said = [TIMER, "", f"Model compiled successfully in {time.time_ns() % 1000} ms.", ""]
    said += [f"Input model: {name}.tflite", "Input size: 4.24MiB"]
    said += [f"Output model: {name}_edgetpu.tflite", "Output size: 5.57MiB"]
    said += ["On-chip memory used for caching model parameters: 4.50KiB"]
    said += ["On-chip memory remaining for caching model parameters: 3.29MiB"]
    said += ["Off-chip memory used for streaming uncached model parameters: 0.00B"]
    said += ["Number of Edge TPU subgraphs: 1", f"Total number of operations: {total}"]
    said += [f"Operation log: {name}_edgetpu.log", *(partial if on_cpu else []), "", *head]
    print("\n".join([*said, *operators, DONE, "Compilation succeeded!"]))


def table(content: bytes) -> list[tuple[str, int, str]]:
    """Return name, count and status of the operators; in a partial case, two stay on the CPU."""
    names = operator_names(content)
    kept, last = (names[:-1], names[-1:]) if CASE == "partial" else (names, [])
    rows = [(name, count, "Mapped to Edge TPU") for name, count in Counter(kept).items()]
    if CASE == "partial":
        rows += [(last[0], 1, UNSUPPORTED)]
        most = max(rows, key=lambda row: row[1])
        rows[rows.index(most)] = (most[0], most[1] - 1, most[2])
        rows += [(most[0], 1, SECOND)]
    return rows


def operator_names(content: bytes) -> list[str]:
    """Return the names of the operators of a .tflite."""
    from ai_edge_litert import schema_py_generated as schema

    known = {
        number: name for name, number in vars(schema.BuiltinOperator).items() if name.isupper()
    }
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    codes = [max(one.builtinCode, one.deprecatedBuiltinCode) for one in model.operatorCodes]
    return [known[codes[one.opcodeIndex]] for one in model.subgraphs[0].operators]


def cut(content: bytes, count: int) -> list[bytes]:
    """Return a .tflite cut into as many parts, each with the tensors at its ends."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def read() -> schema.ModelT:
        return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))

    whole = read().subgraphs[0]
    size = -(-len(whole.operators) // count)
    found = []
    for start in range(0, size * count, size):
        model = read()
        model.signatureDefs, model.metadata = [], []
        graph = model.subgraphs[0]
        mine = whole.operators[start : start + size]
        later = {int(i) for one in whole.operators[start + size :] for i in one.inputs}
        made = {int(i) for one in mine for i in one.outputs}
        before = {int(i) for one in whole.operators[:start] for i in one.outputs}
        taken = [int(i) for one in mine for i in one.inputs]
        given = [i for i in taken if i in before or i in set(map(int, whole.inputs))]
        graph.operators, graph.inputs = mine, list(dict.fromkeys(given))
        graph.outputs = sorted(made & (later | set(map(int, whole.outputs))))
        builder = flatbuffers.Builder(len(content))
        builder.Finish(model.Pack(builder), b"TFL3")
        found.append(bytes(builder.Output()))
    return found


if __name__ == "__main__":
    sys.exit(main())
