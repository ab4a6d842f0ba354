"""What is compared with the oracle is really compared, and faults of C are really found."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgeflow.targets.mcu.generate import Sources, generate
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, Native, assert_identical, random_samples
from tests.unit.targets.mcu.nets import Net

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone


def dense() -> bytes:
    net = Net()
    hidden = nets.fully_connected(net, net.input((1, 12)), 9, activation="RELU")
    return net.model(nets.fully_connected(net, hidden, 5), hidden)


def changed(old: str, new: str) -> Sources:
    sources = generate(dense())
    files = {name: text.replace(old, new) for name, text in sources.files.items()}
    assert files != sources.files
    return dataclasses.replace(sources, files=files)


def test_sound_code_passes() -> None:
    assert_identical(dense(), flags=SANITIZED)


def test_one_wrong_step_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = changed("(uint32_t)zero_point", "(uint32_t)zero_point + 1u")
    monkeypatch.setattr("tests.unit.targets.mcu.identity.generate", lambda *_: wrong)
    with pytest.raises(AssertionError, match="sample 0, output 0"):
        assert_identical(dense())


def test_warnings_of_the_compiler_are_errors(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unused variable"):
        Native(changed("model_invoke(const", "unused(void) { int x; }\nvoid model_invoke(const"),
               tmp_path)  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("*y++ = nn_output", "y[100000] = 0; *y++ = nn_output", "AddressSanitizer"),
        ("{from[0],", "{2147483647 + from[0],", "overflow"),
    ],
)
def test_undefined_behaviour_ends_the_program(
    old: str, new: str, fault: str, tmp_path: Path
) -> None:
    sources = changed(old, new)
    native = Native(sources, tmp_path, SANITIZED)
    with pytest.raises(AssertionError, match=fault):
        native(random_samples(sources.graph, 10))


def test_samples_begin_with_the_extremes() -> None:
    low, high, *others = random_samples(generate(dense()).graph, 4)
    assert (low[0] == -128).all()
    assert (high[0] == 127).all()
    assert [len(np.unique(one[0])) > 5 for one in others] == [True, True]
