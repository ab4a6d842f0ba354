"""Opens the release that it lies in: samples in, the model's answer out.

It lies in every bundle. The runner is made of it, and so may be any application on the device:
``Release(folder).answer(sample)``. Standard library, numpy and the engine beside it; Python 3.7 or
newer; imports nothing of edgeflow.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from typing import Any

import numpy as np

# Of sources whose samples do not have the levels of pixels, 0..255.
LEVELS = {"digits": 16}


def load_manifest(folder: str) -> dict[str, Any]:
    """Return a release's manifest."""
    with open(os.path.join(folder, "manifest.json")) as file:
        manifest: dict[str, Any] = json.load(file)
    return manifest


def load_engine(folder: str, manifest: dict[str, Any], unit: dict[str, Any]) -> Any:
    """Return the engine with the release's model loaded; `unit` says on which board or stick."""
    engine_options = {**manifest["engine_options"], "unit": unit, "cache": cache_folder(folder)}
    return load_module(folder, "engine").Engine(os.path.join(folder, "model"), engine_options)


def cache_folder(folder: str) -> str | None:
    """Return where an engine may keep what it makes of a release; None if it was not installed.

    It lies beside the releases, which hold nothing but what was sent, and goes with the release.
    """
    releases, name = os.path.split(folder)
    model, place = os.path.split(releases)
    return os.path.join(model, "cache", name) if place == "releases" else None


def load_module(folder: str, name: str) -> Any:
    """Return a module of the release in a folder, whichever this process opened before."""
    spec: Any = importlib.util.spec_from_file_location(name, os.path.join(folder, name + ".py"))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    writes = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # a release with more files than its manifest lists is damaged
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module


def rows(arrays: list[Any], start: int, stop: int) -> list[Any]:
    """Return the same rows of each array."""
    return [array[start:stop] for array in arrays]


def listed(outputs: Any) -> list[Any]:
    """Return an engine's answer as a list; one with one output may give the bare array."""
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def preprocessed(samples: Any, tensor: dict[str, Any]) -> Any:
    """Return stored samples as the network takes them, float32."""
    preprocess = tensor["preprocess"]
    # Numbers, or lists with one for each channel: the last axis of a sample.
    floats = samples.astype(np.float32) * np.asarray(preprocess["scale"], np.float32)
    floats += np.asarray(preprocess["offset"], np.float32)
    return floats


def to_input(samples: Any, tensor: dict[str, Any]) -> Any:
    """Return stored samples as one of the model's inputs: preprocessed, quantized if integer."""
    floats = preprocessed(samples, tensor)
    dtype = np.dtype(tensor["dtype"])
    if not tensor["scale"]:
        return floats.astype(dtype)
    limits = np.iinfo(dtype)
    steps = np.rint(floats / np.float32(tensor["scale"])) + tensor["zero_point"]
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def to_inputs(samples: list[Any], manifest: dict[str, Any]) -> list[Any]:
    """Return the model's inputs from stored samples, an array of any length for each input."""
    tensors = manifest["io"]["inputs"]
    return [to_input(np.asarray(samples[place]), tensors[place]) for place in range(len(tensors))]


def to_floats(outputs: Any, tensor: dict[str, Any]) -> Any:
    """Return one of the model's outputs as float32, by its scale and zero point."""
    floats = outputs.astype(np.float32)
    if not tensor["scale"]:
        return floats
    return (floats - np.float32(tensor["zero_point"])) * np.float32(tensor["scale"])


def softmax(logits: Any) -> Any:
    """Return the probabilities that logits stand for."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def meaning(sample: Any, output: Any, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what the network says of one sample.

    Args:
        sample: float32, as the network's first input takes it.
        output: float32, the output that the task judges.
        manifest: of the release, with the labels.

    Returns:
        Of a classifier the ``label`` and the ``probabilities`` by label; of a detector of anomalies
        the ``label``, the ``score`` (the mean squared error of the reconstruction) and the
        ``threshold`` above which a sample is anomalous; of a regression the ``values`` by label.
    """
    said, labels = manifest["meaning"], manifest["labels"]
    values = output.astype(np.float64)
    if said["task"] == "regression":
        return {"values": dict(zip(labels, values.ravel().tolist()))}
    if said["task"] == "anomaly":
        score = float(np.square(values.ravel() - sample.ravel()).mean())
        label = labels[int(score > said["threshold"])]
        return {"label": label, "score": score, "threshold": said["threshold"]}
    if said["task"] != "classification":
        raise ValueError("a release of the unknown task %r" % said["task"])
    shares = values.ravel() if said["probabilities"] else softmax(values.ravel())
    named = dict(zip(labels, shares.tolist()))
    return {"label": labels[int(shares.argmax())], "probabilities": named}


class Release:
    """A release, opened: its manifest and its engine with the model loaded."""

    def __init__(self, folder: str, unit: dict[str, Any] | None = None) -> None:
        """Open the release in a folder; `unit` says on which board or stick it runs."""
        self.folder = os.path.realpath(folder)  # `current` may point elsewhere at any moment
        self.manifest = load_manifest(self.folder)
        self.engine = load_engine(self.folder, self.manifest, unit or {})

    @property
    def labels(self) -> list[str]:
        """Names of the classes or values."""
        return list(self.manifest["labels"])

    def sample(self, recorded: Any) -> Any:
        """Return what a camera or microphone gives in the form of the dataset's samples.

        Args:
            recorded: pixels uint8 (height, width) or (height, width, 3) of any size; or, where the
                model takes features of sound, what was recorded at their rate, (n,) or
                (n, channels). All else is returned as it is.
        """
        tensor, parameters = self.manifest["io"]["inputs"][0], self.manifest["front_end"]
        if parameters:
            return load_module(self.folder, "front_end").features(recorded, parameters)
        shape = tuple(tensor["shape"][1:])
        if tensor["stored"] != "uint8" or len(shape) != 3 or recorded.dtype != np.uint8:
            return recorded
        pixels = load_module(self.folder, "image").fitted(recorded, shape)
        levels = LEVELS.get(self.manifest["decoding"]["source"])
        return np.rint(pixels * (levels / 255)).astype(np.uint8) if levels else pixels

    def require(self, *sample: Any) -> None:
        """Refuse arrays that are no sample of the dataset, one for each input.

        Raises:
            ValueError: one has another shape or type.
        """
        for array, tensor in zip(sample, self.manifest["io"]["inputs"]):
            found = (np.shape(array), str(np.asarray(array).dtype))
            wanted = (tuple(tensor["shape"][1:]), tensor["stored"])
            if found != wanted:
                text = "%s is %s %s without its batch, not %s %s"
                raise ValueError(text % (tensor["name"], *found[::-1], *wanted[::-1]))

    def outputs(self, *sample: Any) -> list[Any]:
        """Return the network's outputs for one sample, float32 without a batch; see `answer`."""
        self.require(*sample)
        stored = [np.asarray(array)[None] for array in sample]
        raw = listed(self.engine.infer(*to_inputs(stored, self.manifest)))
        pairs = zip(raw, self.manifest["io"]["outputs"])
        return [to_floats(np.asarray(one), tensor)[0] for one, tensor in pairs]

    def said(self, sample: Any, output: Any) -> dict[str, Any]:
        """Return what the first of the `outputs` says of the first input of a sample."""
        tensor = self.manifest["io"]["inputs"][0]
        return meaning(preprocessed(np.asarray(sample)[None], tensor)[0], output, self.manifest)

    def answer(self, *sample: Any) -> dict[str, Any]:
        """Return what the network says of one sample, see `meaning`.

        Args:
            sample: an array for each input, as samples of the dataset are stored: pixels uint8
                (height, width, channels), or float32.
        """
        return self.said(sample[0], self.outputs(*sample)[0])
