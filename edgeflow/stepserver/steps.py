"""Which steps are forked, and from which warm process."""

import importlib
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgeflow.artifact.cpu import DROPPED, HELD
from edgeflow.imports import without
from edgeflow.train.keras import UNUSED


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of warm process.

    Attributes:
        steps: commands that are forked from it.
        modules: what it imports.
        held: environment to import them in, as the steps themselves would.
        dropped: variables that those would drop before; with one of them a step runs by itself.
    """

    steps: tuple[str, ...]
    modules: tuple[str, ...]
    held: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Return whether a process in this environment would import the modules alike."""
        held = all(environment.get(name, value) == value for name, value in self.held.items())
        return held and not any(name in environment for name in self.dropped)


KINDS: Mapping[str, Kind] = {
    "light": Kind(
        steps=("dataset", "compile", "bundle", "deploy", "validate", "gate", "judge", "report"),
        modules=(
            "edgeflow.bundle.pack",
            "edgeflow.cli.slices",
            "edgeflow.compress.build",
            "edgeflow.compress.debug.build",
            "edgeflow.deploy.deploy",
            "edgeflow.imported.build",
            "edgeflow.remote.virtual.start",
            "edgeflow.train.build",
            "edgeflow.validate.confirm",
            "edgeflow.validate.judge",
            "edgeflow.validate.run",
            "encodings.idna",
            "fabric",
            "filelock",
            "numpy",
        ),
    ),
    "tensorflow": Kind(
        steps=("compress", "debug", "import"),
        modules=(
            "ai_edge_litert.interpreter",
            "edgeflow.cli.slices",
            "edgeflow.compress.build",
            "edgeflow.compress.debug.build",
            "edgeflow.compress.pipeline",
            "edgeflow.compress.quantize.none",
            "edgeflow.imported.build",
            "edgeflow.train.build",
            "tensorflow",
            "tf_keras.src.engine.base_layer_v1",
        ),
        held={**HELD, "TF_USE_LEGACY_KERAS": "1"},
        dropped=DROPPED,
    ),
}
"""By name. No module may start a thread when it is imported, or its kind serves nothing."""


def kind_of(arguments: Sequence[str], missed: bool = False) -> str | None:
    """Return the kind of warm process that a command is forked from; None for none.

    Args:
        arguments: of the command.
        missed: whether the store is known not to have what the command makes.
    """
    step = arguments[1] if len(arguments) > 1 else ""
    if is_looked_up(arguments) and not missed:
        return "light"
    if step == "compress" and _trains(arguments):
        return None
    return next((name for name, kind in KINDS.items() if step in kind.steps), None)


def is_looked_up(arguments: Sequence[str]) -> bool:
    """Return whether what a command makes is first looked for in the store.

    It takes no TensorFlow to find it there.
    """
    return any(step in ("train", *KINDS["tensorflow"].steps) for step in arguments[1:2])


def _trains(arguments: Sequence[str]) -> bool:
    """Return whether a recipe trains, or tries others in processes of its own."""
    options = dict(itertools.pairwise(arguments))
    try:
        slice_ = json.loads(options["--slice"])
        return bool(slice_["train"] or slice_.get("candidates"))
    except (ValueError, LookupError, AttributeError, TypeError):
        return True  # the command itself says what is wrong


def load(kind: Kind) -> None:
    """Import what a kind of steps needs; the environment is afterwards what it was."""
    kept = dict(os.environ)
    os.environ.update(kind.held)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    importlib.import_module("edgeflow.cli.app").command_line()
    with without(*UNUSED):
        for module in kind.modules:
            importlib.import_module(module)
    restore(kept)


def restore(environment: Mapping[str, str]) -> None:
    """Make an environment this process' own."""
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
