"""What a network does is read from the compiler's text, and nothing that is not fixed."""

import pytest

from edgeflow.targets.iree.iree_worker.constants import read_constants
from edgeflow.targets.iree.iree_worker.refusal import Refusal
from edgeflow.targets.iree.iree_worker.schedule import (
    Copy,
    Dispatch,
    Fill,
    Span,
    Tensor,
    read_schedule,
)

HEAD = """\
"builtin.module"() ({
  "util.func"() <{inlining_policy = #util.inline.never, sym_name = "net$async"}> ({
  ^bb0(%arg1: !hal.buffer_view, %arg2: !hal.fence, %arg3: !hal.fence):
    %0 = "arith.constant"() <{value = 0 : index}> : () -> index
    %1 = "arith.constant"() <{value = 4 : index}> : () -> index
    %2 = "arith.constant"() <{value = 16 : index}> : () -> index
    %3 = "arith.constant"() <{value = -2 : i16}> : () -> i16
    %4 = "arith.constant"() <{value = -1 : i32}> : () -> i32
    %5 = "arith.constant"() <{value = 0 : i64}> : () -> i64
    %6 = "util.global.load"() <{global = @__weights, is_immutable}> : () -> !hal.buffer
    %7 = "util.global.load"() <{global = @__device_0, is_immutable}> : () -> !hal.device
    %8 = "util.global.load"() <{global = @__exe, is_immutable}> : () -> !hal.executable
    %9 = "hal.element_type"() <{type = f32}> : () -> i32
    %10 = "hal.encoding_type"() : () -> i32
    "hal.buffer_view.assert"(%arg1, %9, %10, %1) <{message = "x"}> : (!hal.buffer_view) -> ()
    %11 = "hal.buffer_view.buffer"(%arg1) : (!hal.buffer_view) -> !hal.buffer
    %12 = "hal.device.queue.alloca"(%7, %5, %arg2, %5, %5, %4, %4, %2) : () -> !hal.buffer
    %13 = "hal.command_buffer.create"(%7, %5) : (!hal.device) -> !hal.command_buffer
"""
STEPS = """\
    "hal.command_buffer.fill_buffer"(%13, %12, %1, %1, %3) <{flags = 0 : i64}> : \
(!hal.command_buffer, !hal.buffer, index, index, i16) -> ()
    "hal.command_buffer.execution_barrier"(%13) <{flags = 0 : i64}> : (!hal.command_buffer) -> ()
    "hal.command_buffer.copy_buffer"(%13, %11, %0, %12, %1, %1) <{flags = 0 : i64}> : () -> ()
    %14 = "hal.executable.lookup.function"(%8) <{entry_point = @a::@b::@net$add}> : () -> i64
    "hal.command_buffer.dispatch"(%13, %8, %14, %1, %2, %1, %4, %11, %6, %12, %0, %0, %1, %2, %1, \
%1) <{flags = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 3, 3, 3>}> : () -> ()
"""
TAIL = """\
    "hal.command_buffer.finalize"(%13) : (!hal.command_buffer) -> ()
    "hal.device.queue.execute"(%7, %5, %5, %5, %13) <{flags = 0 : i64}> : () -> ()
    %15 = "hal.buffer_view.create"(%12, %1, %1, %9, %10, %1) : () -> !hal.buffer_view
    "util.return"(%15) : (!hal.buffer_view) -> ()
  }) {iree.abi.stub} : () -> ()
}) : () -> ()
"""


def test_steps_are_read_in_their_order() -> None:
    schedule = read_schedule(HEAD + STEPS + TAIL)
    assert schedule.inputs == [Tensor(Span("input0", 0, 16), "float32", (4,))]
    assert schedule.outputs == [Tensor(Span("scratch0", 4, 4), "float32", (4,))]
    assert schedule.scratch == {"scratch0": 16}
    assert schedule.steps == [
        Fill(Span("scratch0", 4, 4), 0xFFFE, 2),
        Copy(Span("input0", 0, 4), Span("scratch0", 4, 4)),
        Dispatch(
            "net$add",
            (4, 16, 4),
            (0xFFFFFFFF,),
            (Span("input0", 0, 16), Span("__weights", 0, 4), Span("scratch0", 4, 4)),
        ),
    ]
    assert schedule.globals() == ["__weights"]


def test_steps_that_are_not_recorded_are_taken_at_once() -> None:
    text = """\
    "hal.device.queue.fill"(%7, %5, %5, %5, %12, %0, %2, %4) <{flags = 0 : i64}> : \
(!hal.device, i64, !hal.fence, !hal.fence, !hal.buffer, index, index, i32) -> ()
    "hal.device.queue.copy"(%7, %5, %5, %5, %6, %0, %12, %1, %1) <{flags = 0 : i64}> : () -> ()
"""
    assert read_schedule(HEAD + STEPS + text + TAIL).steps[:2] == [
        Fill(Span("scratch0", 0, 16), 0xFFFFFFFF, 4),
        Copy(Span("__weights", 0, 4), Span("scratch0", 4, 4)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('    "util.return"(%arg2) : (!hal.fence) -> ()', "is an input as it came"),
        ('    "scf.for"(%0, %1, %1) ({', "has scf.for, which is no fixed step"),
        (
            '    %14 = "arith.constant"() <{value = 1.5 : f32}> : () -> f32\n'
            '    %16 = "hal.buffer_view.create"(%12, %0, %14, %9, %10, %1) : () -> !hal.view',
            "known at run time only",
        ),
        ('    "hal.command_buffer.dispatch"(%13, %8) : () -> ()', "cannot be read"),
    ],
)
def test_what_is_decided_at_run_time_is_refused(text: str, message: str) -> None:
    with pytest.raises(Refusal, match=message) as caught:
        read_schedule(f"{HEAD}{text}\n{TAIL}")
    assert caught.value.hint


def test_a_text_without_the_network_is_refused() -> None:
    with pytest.raises(Refusal, match="no function"):
        read_schedule('"builtin.module"() ({\n}) : () -> ()\n')


def initializer(value: str, store: str = "__weights") -> str:
    return f"""\
  "util.initializer"() <{{function_type = () -> ()}}> ({{
    %1 = "util.buffer.constant"() <{{alignment = 64 : index, value = {value}}}> : () -> !util.buffer
    %2:2 = "hal.allocator.import"(%0, %1) : (!hal.allocator) -> (i1, !hal.buffer)
    "util.global.store"(%2) <{{global = @{store}}}> : (!hal.buffer) -> ()
  }}) : () -> ()
"""


def test_weights_are_bytes() -> None:
    several = """#util.composite<24xi8, [
    dense<"0x0000803F00000040"> : tensor<2xf32>,
    dense<-1> : vector<4xi8>,
    dense<0xFF800000> : tensor<1xf32>,
    dense<5.000000e-01> : tensor<2x1xf32>,
]>"""
    text = initializer(several) + initializer('dense<"0x0102"> : tensor<2xi8>', '"other one"')
    found = read_constants(text)
    assert found["__weights"].hex() == "0000803f00000040" + "ff" * 4 + "000080ff" + "0000003f" * 2
    assert found["other one"] == b"\1\2"


def test_initializers_of_anything_else_are_passed_over() -> None:
    text = initializer('dense<"0x01"> : tensor<1xi8>').replace("!hal.buffer) -> ()", "i1) -> ()")
    assert read_constants(text) == {}


@pytest.mark.parametrize(
    "value",
    [
        "#util.byte_range<4>",
        "dense<true> : tensor<9xi1>",
        "dense<[1, 2]> : tensor<2xi8>",
        "dense<300> : tensor<2xi8>",
    ],
)
def test_weights_in_another_form_are_refused(value: str) -> None:
    with pytest.raises(Refusal, match="not known"):
        read_constants(initializer(value))


def test_weights_that_are_computed_when_loaded_are_refused() -> None:
    text = initializer('dense<"0x01"> : tensor<1xi8>')
    with pytest.raises(Refusal, match="0 constants for 1 buffers"):
        read_constants(text.replace("util.buffer.constant", "util.other"))
