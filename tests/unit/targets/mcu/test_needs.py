"""What `edgeflow model inspect` says of a file for microcontrollers."""

from pathlib import Path

from edgeflow.inspection.inspect import inspect
from edgeflow.targets.mcu.generate import generate
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.nets import Net


def said(path: Path, content: bytes) -> tuple[tuple[str, ...], str]:
    path.write_bytes(content)
    (fit,) = [fit for fit in inspect(path, None).targets if fit.target == "mcu"]
    return fit.takes, fit.needs


def test_inspection_tells_memory_or_why_not(tmp_path: Path) -> None:
    net = Net()
    hidden = nets.fully_connected(net, net.input((1, 12)), 9)
    model = net.model(nets.fully_connected(net, hidden, 3))
    takes, needs = said(tmp_path / "a.tflite", model)
    assert takes == ("none",)
    flash_bytes = generate(model).weights_bytes
    assert flash_bytes >= 12 * 9 + 9 * 3 + 4 * 12  # weights and biases
    assert needs.startswith(f"needs {flash_bytes} bytes of flash for constants and 24 of RAM")
    net = Net()
    x, y = net.input((1, 4)), net.tensor((1, 4), nets.Quant(0.1))
    net.operator("COS", [x], [y])
    _, needs = said(tmp_path / "b.tflite", net.model(y))
    assert needs.startswith("cannot be C: no kernel takes 1 of 1 operators: COS at")
    net = Net()
    x, y = net.input((1, 4), dtype="float32"), net.tensor((1, 4), dtype="float32")
    net.operator("RELU", [x], [y])
    takes, needs = said(tmp_path / "c.tflite", net.model(y))
    assert ("ptq-int8" in takes, needs) == (True, "")


def test_an_lstm_of_int8_is_no_network_in_float(tmp_path: Path) -> None:
    net = Net()
    model = net.model(nets.lstm(net, net.input((1, 3, 4)), 5))
    takes, needs = said(tmp_path / "lstm.tflite", model)
    assert takes == ("none",)
    assert needs.startswith("needs ")
