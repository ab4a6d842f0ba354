"""The templates of new projects: each runs at once, on virtual devices, with no download."""

from collections.abc import Callable, Mapping
from typing import Literal

from edgeflow.project import examples
from edgeflow.project.draft import FLOAT, INT8, Draft
from edgeflow.project.yamltext import CALIBRATION, comment, entry

Template = Literal["image", "audio", "signal", "model-file"]

_GATES: Mapping[str, tuple[str, ...]] = {
    INT8: (
        "gates: # on the device: accuracy at most 3 points lower, the very outputs of this machine",
        "  accuracy_drop_max: 0.03",
        "  parity_min: 1.0",
        "  # latency_p90_ms_max: 20",
    ),
    FLOAT: ("gates: {accuracy_drop_max: 0.01}",),
}


def draft_of(template: Template) -> Draft:
    """Return the draft of a template."""
    return _DRAFTS[template]()


def _image() -> Draft:
    dataset = {"source": "digits", "calibration": 100}
    model = {
        "dataset": "digits",
        "architecture": {"name": "ds_cnn", "width": 32, "blocks": 3, "pool_every": 3},
        "train": {"epochs": 15, "learning_rate": 0.005, "schedule": "cosine", "patience": 15},
    }
    return Draft(
        title="Recognizes handwritten digits: a small image classifier to start from.",
        model_name="digits-cnn",
        dataset=comment(
            [
                "8x8 grey digits that ship with scikit-learn. For images of your own, a folder",
                "for each class: {source: image_folder, path: photos, size: [96, 96]}",
            ]
        )
        + entry("digits", dataset, {"calibration": CALIBRATION}),
        model=entry("digits-cnn", model, {"architecture": "or `your_module:function`"}),
        gates=_GATES,
    )


def _audio() -> Draft:
    dataset = {
        "source": "wav_folder",
        "path": "sounds",
        "seconds": examples.SECONDS,
        "calibration": 60,
        "features": {"kind": "log_mel", "rate": examples.RATE, "mels": 32},
    }
    model = {
        "dataset": "sounds",
        "architecture": {"name": "ds_cnn", "width": 24, "blocks": 3},
        "train": {"epochs": 25, "learning_rate": 0.005, "schedule": "cosine", "patience": 25},
    }
    told = {
        "path": "a folder of WAV files for each class",
        "seconds": "what is longer is cut, what is shorter filled up with silence",
        "features": "computed alike here and on the device",
    }
    return Draft(
        title="Tells sounds apart by how their pitch moves: a small classifier to start from.",
        model_name="sounds-cnn",
        dataset=entry("sounds", dataset, told),
        model=entry("sounds-cnn", model, {}),
        gates=_GATES,
        brought="sounds",
        brought_what="made-up recordings of three classes; replace them by your own",
        bring=examples.write_sounds,
    )


def _signal() -> Draft:
    dataset = {
        "source": "signal",
        "path": "signals.npz",
        "labels": list(examples.MOVEMENTS),
        "calibration": 100,
        "preprocess": {"standardize": True},
    }
    model = {
        "dataset": "signals",
        "architecture": {"name": "ds_cnn", "width": 24, "blocks": 3, "kernel": [9, 1]},
        "train": {"epochs": 20, "learning_rate": 0.005, "schedule": "cosine", "patience": 20},
    }
    told = {
        "path": "np.savez(path, x=x, y=y): x float (n, length, channels), y class numbers",
        "labels": "names of classes 0, 1, 2",
        "preprocess": "each channel to mean 0 and deviation 1, on the device too",
    }
    return Draft(
        title="Tells movements apart by acceleration: a small signal classifier to start from.",
        model_name="signals-cnn",
        dataset=entry("signals", dataset, told),
        model=entry("signals-cnn", model, {}),
        gates=_GATES,
        brought="signals.npz",
        brought_what="made-up accelerations of three classes; replace them by your own",
        bring=examples.write_signals,
    )


def _model_file() -> Draft:
    told = {"source": ".keras, .h5, .tflite and a SavedModel's folder are taken too"}
    return Draft(
        title="Brings a trained model, an ONNX file, to devices.",
        model_name="digits-onnx",
        dataset=comment(["What the model is measured on, and int8 takes its ranges from."])
        + entry("digits", {"source": "digits", "calibration": 100}, {}),
        model=entry("digits-onnx", {"dataset": "digits", "source": "model.onnx"}, told),
        gates=_GATES,
        brought="model.onnx",
        brought_what="a small network that was trained on digits; replace it by your own",
        bring=examples.write_model,
    )


_DRAFTS: Mapping[Template, Callable[[], Draft]] = {
    "image": _image,
    "audio": _audio,
    "signal": _signal,
    "model-file": _model_file,
}
