"""`edgeflow check` says whether networks fit their targets before they are trained."""

from pathlib import Path
from typing import Any

import pytest

from edgeflow.check import verdicts
from edgeflow.check.fits import check_fits, fits_of
from edgeflow.check.project import QUICK, SLOW
from edgeflow.check.verdicts import Case
from edgeflow.config.load import parse

NETS = """\
def build(keras, input_shape, classes, *, width=64):
    import tensorflow as tf
    inputs = keras.Input(input_shape)
    x = keras.layers.Dense(width, activation="relu")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(classes)(x))
def odd(keras, input_shape, classes):
    import tensorflow as tf
    inputs = keras.Input(input_shape)
    x = keras.layers.Lambda(tf.abs, name="absolute")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(classes)(x))
"""


@pytest.fixture(autouse=True)
def without_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes are estimated, as on a machine without cross compilers."""
    (tmp_path / "fit_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(verdicts, "_worker", lambda cls, options: None)
    verdicts._asked.cache_clear()


def project(architecture: dict[str, Any], **target: Any) -> dict[str, Any]:
    return {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"net": {"dataset": "digits", "architecture": architecture}},
        "recipes": {
            "int8": {"quantize": "ptq-int8"},
            "narrow": {"prune_channels": {"share": 0.5}, "quantize": "ptq-int8"},
            "float": {},
        },
        "targets": {
            "tiny": {"kind": "mcu", "board": "microbit", **target},
            "pi": {"kind": "litert"},
        },
        "devices": {
            "bench": {"target": "tiny", "transport": "virtual"},
            "kitchen": {"target": "pi", "transport": "virtual"},
        },
        "deployments": [{"model": "net", "recipe": "int8", "devices": ["bench", "kitchen"]}],
    }


def test_what_a_network_takes() -> None:
    raw = project({"name": "fit_nets:build"}, mode="specialized")
    assert list(check_fits(raw)) == []
    (found,) = fits_of(parse(raw)).items()
    case, fit = found
    assert case == Case(model="net", recipe="int8", target="tiny")
    assert fit.macs == 64 * 64 + 64 * 10
    flash, ram = fit.memories
    assert fit.macs < flash.needed_bytes < fit.macs + 4096
    assert 64 + 64 + 10 < ram.needed_bytes < 1024
    assert not fit.exact


def test_the_nearest_that_fits_is_named() -> None:
    (found,) = check_fits(project({"name": "fit_nets:build"}, flash_kb=5.5))
    assert found.path == "deployments.0.model"
    assert "net/int8 on tiny: it needs" in found.message
    assert "of flash and may take 5.5 kB" in found.message
    recipe, width = found.hint.split("; or ")
    assert recipe.startswith("deploy recipe 'narrow', with which it fits (flash ")
    assert "estimated" in recipe
    number = int(width.removeprefix("set `width: ").partition("`")[0])
    assert 16 <= number < 64
    fitting = {"name": "fit_nets:build", "width": number}
    assert list(check_fits(project(fitting, flash_kb=5.5))) == []
    wider = {"name": "fit_nets:build", "width": number + 12}
    assert list(check_fits(project(wider, flash_kb=5.5)))


def test_an_operator_that_no_kernel_takes_is_named_before_training() -> None:
    (found,) = check_fits(project({"name": "fit_nets:odd"}))
    assert "ABS at" in found.message
    assert "absolute" in found.message
    assert "has no kernel" in found.message


def test_no_network_is_built_by_a_fast_check() -> None:
    assert check_fits in SLOW
    assert check_fits not in QUICK
