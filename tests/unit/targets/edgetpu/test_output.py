"""What versions 2 to 16 of `edgetpu_compiler` print, and how much of it is read."""

import pytest

from edgeflow.targets.edgetpu.failures import SUCCEEDED, hint_for, reason_of
from edgeflow.targets.edgetpu.figures import figures_of
from edgeflow.targets.edgetpu.output import Row, blocks_of, merged, read_block, rows_of

MAPPED = """\
Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 1524 ms.

Input model: net.tflite
Input size: 4.24MiB
Output model: out/net_edgetpu.tflite
Output size: 5.57MiB
On-chip memory used for caching model parameters: 4.21MiB
On-chip memory remaining for caching model parameters: 3.29MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 64
Operation log: out/net_edgetpu.log
See the operation log file for individual operation details.
Compilation child process completed within timeout period.
Compilation succeeded!
"""
PARTIAL = """\

Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of \
the model will instead run on the CPU, which is slower.
Number of operations that will run on Edge TPU: 61
Number of operations that will run on CPU: 3
"""
LOG = """\
Edge TPU Compiler version 16.0.384591198
Input: net.tflite
Output: net_edgetpu.tflite

Operator                       Count      Status

QUANTIZE                       1          Operation is otherwise supported, but not mapped due to \
some unspecified limitation
CONV_2D                        40         Mapped to Edge TPU
CONV_2D                        2          More than one subgraph is not supported
CUSTOM                         1          Operation is working on an unsupported data type
ADD                            20         Mapped to Edge TPU
"""
FIRST = """\
Edge TPU Compiler version 2.0.267685300

Model compiled successfully in 313 ms.

Input model: net.tflite
Input size: 5.33 MiB
Output model: net_edgetpu.tflite
Output size: 5.75 MiB
On-chip memory available for caching model parameters: 7.62 MiB
On-chip memory used for caching model parameters: 1.75 KiB
Off-chip memory used for streaming uncached model parameters: 512.00 B
Number of Edge TPU subgraphs: 0
Total number of operations: 5
Operation log: net_edgetpu.log
"""


def test_a_model_of_which_all_is_mapped() -> None:
    (name, text), *more = blocks_of(MAPPED).items()
    assert (name, more) == ("net_edgetpu.tflite", [])
    block = read_block(text, "")
    assert block is not None
    assert (block.mapped, block.unmapped, block.subgraphs, block.rows) == (64, 0, 1, ())
    assert figures_of([block]) == {
        "accelerator_share": 1.0,
        "onchip_used_bytes": round(4.21 * (1 << 20)),
        "onchip_free_bytes": round(3.29 * (1 << 20)),
        "offchip_streamed_bytes": 0,
        "accelerator_subgraphs": 1,
    }


def test_operators_that_stay_on_the_cpu_are_counted_by_the_log_or_else_by_the_lines() -> None:
    said = MAPPED.replace("See the operation log file", PARTIAL + "See the operation log file")
    text = blocks_of(said)["net_edgetpu.tflite"]
    by_lines, by_log, printed = (
        read_block(text, ""),
        read_block(text, LOG),
        read_block(text + "\n" + LOG.partition("\n\n")[2], ""),  # with --show_operations
    )
    assert by_lines is not None
    assert by_log is not None
    assert printed == by_log
    assert (by_lines.mapped, by_lines.unmapped) == (61, 3)
    assert (by_log.mapped, by_log.unmapped) == (60, 4)
    assert figures_of([by_log])["accelerator_share"] == 60 / 64
    assert Row(operator="CONV_2D", count=2, status="More than one subgraph is not supported") in (
        by_log.rows
    )


def test_the_first_versions_tell_the_whole_memory_and_write_units_apart() -> None:
    assert SUCCEEDED.search(FIRST)
    block = read_block(blocks_of(FIRST)["net_edgetpu.tflite"], "")
    assert block is not None
    assert (block.used_bytes, block.streamed_bytes, block.subgraphs) == (1792, 512, 0)
    assert block.free_bytes == round(7.62 * (1 << 20)) - 1792


FAILED_ATTEMPT = """\
Try to compile segment with {} ops
Intermediate tensors: a;b,c
Started a compilation timeout timer of 180 seconds.
ERROR: Restored original execution plan after delegate application failure.
Compilation failed: Compilation failed due to large activation tensors in model.
Compilation child process completed within timeout period.
Compilation failed!\x20
"""


def test_of_a_search_the_last_attempt_counts() -> None:
    version, _, found = MAPPED.partition("\n")
    attempts = "".join(FAILED_ATTEMPT.format(count) for count in range(500, 300, -1))
    said = f"{version}\nSearching for valid delegate with step 1\n{attempts}"
    assert blocks_of(said) == {}
    assert reason_of(said) == "Compilation failed due to large activation tensors in model."
    assert "search_delegate" in hint_for(said)
    both = f"{said}Try to compile segment with 300 ops\n{found}"
    block = read_block(blocks_of(both)["net_edgetpu.tflite"], LOG)
    assert block is not None
    assert block.mapped == 60


def test_segments_have_a_block_each_also_where_a_later_one_fails() -> None:
    one = MAPPED.replace("net_edgetpu", "net_segment_0_of_2_edgetpu").partition("\n")[2]
    said = one + one.replace("0_of_2", "1_of_2").replace("4.21MiB", "1.00KiB")
    texts = blocks_of(said)
    assert [*texts] == [f"net_segment_{place}_of_2_edgetpu.tflite" for place in (0, 1)]
    blocks = [read_block(text, "") for text in texts.values()]
    assert all(blocks)
    figures = figures_of([block for block in blocks if block])
    assert figures["onchip_used_bytes"] == round(4.21 * (1 << 20)) + 1024
    assert figures["accelerator_subgraphs"] == 2
    failed = one + FAILED_ATTEMPT.format(9).partition("\n")[2]
    assert [*blocks_of(failed)] == ["net_segment_0_of_2_edgetpu.tflite"]
    assert reason_of(failed) == "Compilation failed due to large activation tensors in model."


@pytest.mark.parametrize(
    ("said", "reason", "hint"),
    [
        ("Model not quantized", "Model not quantized", "quantize: ptq-int8"),
        (
            "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '6'. An older version.\n\n"
            "ERROR: Registration failed.\n\nInvalid model: m.tflite\nModel could not be parsed",
            "Didn't find op for builtin opcode 'CONV_2D' version '6'. An older version.; "
            "Invalid model: m.tflite; Model could not be parsed",
            "no such version",
        ),
        (
            "ERROR: Attempting to use a delegate that only supports static-sized tensors with a "
            "graph that has dynamic-sized tensors.\nCompilation failed: Model failed in Tflite.\n"
            "Compilation child process completed within timeout period.\nCompilation failed! ",
            "Attempting to use a delegate that only supports static-sized tensors with a graph "
            "that has dynamic-sized tensors.; Model failed in Tflite.",
            "fixed shapes",
        ),
        ("ERROR: Encountered unresolved custom op: Atan.", "unresolved custom op: Atan", "out of"),
        ("Compilation timeout. This is usually caused by large activations.", "timeout", "smaller"),
        ("\nInternal compiler error. Aborting! ", "Internal compiler error. Aborting!", "twice"),
        ("Invalid model: m.tflite\nModel could not be parsed", "could not be parsed", "a .tflite"),
        ("", "", "another recipe"),
    ],
)
def test_a_refusal_keeps_the_compilers_words_and_says_what_to_try(
    said: str, reason: str, hint: str
) -> None:
    said = f"Edge TPU Compiler version 16.0.384591198\n{said}\n"
    assert not SUCCEEDED.search(said)
    assert reason in reason_of(said)
    assert hint in hint_for(said)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Output model: a.tflite",
        FIRST.replace("1.75 KiB", "much"),
        FIRST.replace("operations: 5", "operations: " + "9" * 400),
        FIRST.replace("1.75 KiB", "1" * 5000 + " KiB"),
        FIRST.replace("subgraphs: 0", "subgraphs: -1"),
    ],
)
def test_what_is_no_such_block_is_not_believed(text: str) -> None:
    assert read_block(text, LOG) is None


def test_rows_of_one_kind_become_one_in_a_fixed_order() -> None:
    rows = rows_of(LOG)
    assert len(rows) == 5
    assert merged([*rows, *rows]) == merged([*reversed(rows), *rows])
    assert merged([*rows, *rows])[0] == Row(operator="ADD", count=40, status="Mapped to Edge TPU")
