"""The default build as a script without a workflow: one process, one thing after the other.

It imports TensorFlow once, trains, converts each recipe with the converter's own API, and calls
edgeflow's functions for what a person would take from a library too: the dataset's split, the
targets' compilers, the bundle, SSH and the devices' runner, the report. It has no store, no
incremental build, and keeps nothing for the next time. Run it in a folder with config.yaml.
"""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow import paths
from edgeflow.artifact.manifest import Manifest, describe_files
from edgeflow.bundle.pack import made_from, pack_bundle
from edgeflow.compress.evaluate import host_outputs
from edgeflow.config.load import load_file
from edgeflow.config.model import Model
from edgeflow.config.recipe import Recipe
from edgeflow.dataset.build import build_dataset
from edgeflow.dataset.tensors import OUTPUT
from edgeflow.dataset.view import DatasetView, open_dataset
from edgeflow.deploy.deploy import deploy
from edgeflow.plan import Plan, Unit
from edgeflow.report.build import build_report
from edgeflow.targets.build import compile_model
from edgeflow.tasks.classification import Classification
from edgeflow.train.loop import write_history
from edgeflow.validate.confirm import confirm
from edgeflow.validate.run import Folders, validate

RESULTS = Path("results")
CODE = "by-hand"


def main() -> None:
    """Build config.yaml."""
    os.environ.update(EDGEFLOW_STORE="off", TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3")
    plan = Plan(load_file(Path("config.yaml")))
    for name, model in plan.config.models.items():
        folder = RESULTS / paths.DATASET.format(dataset=model.dataset)
        slice_ = plan.job("dataset", dataset=model.dataset).slice
        build_dataset(model.dataset, slice_, CODE, folder)
        dataset = open_dataset(folder, ("train", "validation", "test", "calibration"))
        network = train(model, dataset, RESULTS / paths.BASELINE.format(model=name))
        units = [unit for unit in plan.units if unit.model == name]
        quantize = {unit.recipe: plan.config.recipes[unit.recipe].quantize for unit in units}
        recipes = {place(paths.RECIPE, unit): quantize[unit.recipe] for unit in units}
        compress(network, recipes, dataset)
        for unit in {(unit.target, unit.recipe): unit for unit in units}.values():
            build_bundle(plan, unit, folder)
        for unit in units:
            bring(plan, unit, folder)
    build_report(plan.job("report").slice, CODE, RESULTS, RESULTS / paths.REPORT)


def train(settings: Model, dataset: DatasetView, out: Path) -> Any:
    """Train the network and return it."""
    import numpy as np
    import tensorflow as tf
    import tf_keras as keras

    from edgeflow.train.architectures import ds_cnn

    assert settings.architecture is not None
    train, classes = settings.train, len(dataset.facts.labels)
    keras.utils.set_random_seed(train.seed)
    tf.config.experimental.enable_op_determinism()
    height, width, channels = dataset.facts.input_shape
    shape = (height, width, channels)
    network = ds_cnn.build(keras, shape, classes, **settings.architecture.options)
    x, y = dataset.inputs("train"), dataset.truth("train")
    steps = -(-len(y) // train.batch_size) * train.epochs
    rate = keras.optimizers.schedules.CosineDecay(train.learning_rate, steps)
    network.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = network.fit(
        x,
        y,
        batch_size=train.batch_size,
        epochs=train.epochs,
        validation_data=(dataset.inputs("validation"), dataset.truth("validation")),
        callbacks=[
            keras.callbacks.EarlyStopping(patience=train.patience, restore_best_weights=True)
        ],
        verbose=0,
    ).history
    out.mkdir(parents=True)
    with warnings.catch_warnings(action="ignore"):
        network.save(out / "model.h5", include_optimizer=False)
    columns = ("loss", "accuracy", "val_loss", "val_accuracy")
    write_history(
        [
            {
                "epoch": epoch + 1,
                "learning_rate": float(rate(epoch)),
                **dict(zip(columns, row, strict=True)),
            }
            for epoch, row in enumerate(zip(*(history[name] for name in columns), strict=True))
        ],
        out / "history.csv",
        Classification.metric,
    )
    logits = network.predict(dataset.inputs("test"), verbose=0)
    np.save(out / "outputs.npy", logits)
    _describe(out, "train", metric_test=_accuracy(logits, dataset))
    return network


def compress(network: Any, recipes: Mapping[Path, str], dataset: DatasetView) -> None:
    """Convert the network once for each recipe, and run each on the test set."""
    import numpy as np
    import tensorflow as tf

    shape = (1, *network.input_shape[1:])
    function = tf.function(lambda x: network(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="input"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], network)
    converter.experimental_lower_to_saved_model = False  # a tenth of the time, as edgeflow does
    plain = converter.convert()
    for folder, quantize in recipes.items():
        folder.mkdir()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], network)
        converter.experimental_lower_to_saved_model = False
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "fp16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize == "ptq-int8":
            samples = dataset.inputs("calibration")
            converter.representative_dataset = lambda samples=samples: (
                [sample[None]] for sample in samples
            )
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        flatbuffer = plain if quantize == "none" else converter.convert()
        (folder / "float.tflite").write_bytes(plain)
        (folder / "model.tflite").write_bytes(flatbuffer)
        logits = host_outputs(flatbuffer, dataset.tensors("test"))
        np.save(folder / "outputs.npy", logits)
        applied = Recipe.model_validate({"quantize": quantize}).model_dump(mode="json")
        _describe(folder, "compress", metric_test=_accuracy(logits, dataset), recipe=applied)


def place(pattern: str, unit: Unit) -> Path:
    """Return a unit's folder."""
    return RESULTS / pattern.format(**unit.names())


def build_bundle(plan: Plan, unit: Unit, dataset: Path) -> None:
    """Compile a recipe's model for a target and pack it."""
    name, out = f"{unit.target}/{unit.model}/{unit.recipe}", place(paths.COMPILED, unit)
    compile_, bundle = (plan.job(step, **unit.names()).slice for step in ("compile", "bundle"))
    compile_model(name, dataset, place(paths.RECIPE, unit), compile_, CODE, out)
    origin = made_from(
        dataset, place(paths.BASELINE, unit), place(paths.RECIPE, unit), bundle["parts"]
    )
    pack_bundle(name, dataset, out, bundle, CODE, out, origin)


def bring(plan: Plan, unit: Unit, dataset: Path) -> None:
    """Deploy to a device, measure there, check the gates."""
    compiled, out = place(paths.COMPILED, unit), place(paths.DEVICE, unit)
    steps = ("deploy", "validate", "gate")
    deploying, validating, gating = (plan.job(step, **unit.names()).slice for step in steps)
    deploy(compiled / "bundle.tar", deploying, CODE, out / "deploy.json")
    folders = Folders(
        dataset=dataset,
        model=place(paths.BASELINE, unit),
        recipe=place(paths.RECIPE, unit),
        compiled=compiled,
    )
    validate(validating, CODE, folders, out / "deploy.json", out / "validation.json")
    confirm(gating, CODE, out / "validation.json", out / "gates.json")


def _accuracy(logits: Any, dataset: DatasetView) -> float:
    return float((logits.argmax(axis=1) == dataset.truth("test")).mean())


def _describe(folder: Path, step: str, **facts: object) -> None:
    """Write the manifest that the next function reads."""
    files = describe_files(folder)
    facts |= {"outputs": [OUTPUT], "metric": Classification.metric.name}
    manifest = Manifest(
        step=step, inputs={}, slice={}, code=CODE, tools={}, files=files, facts=facts
    )
    manifest.write(folder / "manifest.json")


if __name__ == "__main__":
    main()
