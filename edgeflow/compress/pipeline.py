"""A recipe, stage by stage: train on what it asks for, then convert."""

import importlib
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from edgeflow.artifact.manifest import read_manifest, verify_files
from edgeflow.compress.conversion import convert_float, quantized, running
from edgeflow.compress.form import NETWORK, flatbuffer_form, keras_form
from edgeflow.compress.network import Network, load_model
from edgeflow.compress.same import SAMPLES, require_close, require_exact, samples_for
from edgeflow.compress.slice import CompressSlice
from edgeflow.compress.source import FLATBUFFER_FILE, GRAPH_FILE, FloatModel, open_source
from edgeflow.compress.stage import open_network, tuned
from edgeflow.compress.unroll import unrolled
from edgeflow.config.recipe import CALIBRATED, Recipe
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError, TrainingError
from edgeflow.train.build import MODEL_FILE


def run(
    name: str,
    dataset: DatasetView,
    folder: Path,
    teachers: dict[str, Path],
    slice_: CompressSlice,
    out: Path,
) -> dict[str, object]:
    """Write model.tflite, float.tflite and the network itself; return the manifest's facts.

    Args:
        name: model and recipe, for messages.
        dataset: with the parts that the recipe reads.
        folder: of the trained or imported model.
        teachers: folders of trained models, by name.
        slice_: the recipe and its training settings.
        out: folder to write into.
    """
    manifest = read_manifest(folder / "manifest.json")
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        if manifest.facts.get("quantized"):
            made = _passed_on(name, folder, slice_.recipe, manifest.facts["quantized"])
        elif MODEL_FILE in manifest.files:
            made = _from_network(name, dataset, folder, teachers, slice_, Path(scratch))
        else:
            made = _from_file(name, dataset, folder, slice_.recipe)
        (out / NETWORK).mkdir()
        shutil.copyfile(made.network, out / NETWORK / made.network.name)
    (out / "float.tflite").write_bytes(made.float_model)
    (out / "model.tflite").write_bytes(made.model)
    return {
        "recipe": made.recipe.model_dump(mode="json"),
        "outputs": manifest.facts["outputs"],
        "parameters": made.parameters,
        **made.facts,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    """The network as .tflite before and after quantization, and the recipe that it went through.

    Attributes:
        network: the file that float_model was converted from.
    """

    network: Path
    float_model: bytes
    model: bytes
    recipe: Recipe
    parameters: int | None
    facts: dict[str, object] = field(default_factory=dict)


def _from_network(
    name: str,
    dataset: DatasetView,
    folder: Path,
    teachers: dict[str, Path],
    slice_: CompressSlice,
    scratch: Path,
) -> _Made:
    recipe = slice_.recipe
    for path in (folder, *teachers.values()):
        verify_files(path / "manifest.json", [MODEL_FILE])
    _require_one_output(name, folder, recipe)
    if recipe.stages():
        suits = importlib.import_module("edgeflow.compress.suits")
        suits.require_suited(name, *load_model(folder, slice_.train), recipe)
    last = tuned(name, dataset, folder, teachers, slice_, scratch)
    network = open_network(name, dataset, last, teachers, slice_)
    source = _source(name, network, recipe)
    float_model = convert_float(name, source, dataset, recipe)
    parameters = int(network.model.count_params())
    if recipe.quantize == "hgq":
        return _in_fixed_point(network, slice_, float_model, scratch)
    if recipe.quantize == "qat-int8":
        network = importlib.import_module("edgeflow.compress.qat").apply(network, recipe)
        source = FloatModel(network.model)
    model, facts = quantized(name, source, dataset, recipe, float_model)
    return _Made(
        network=last / MODEL_FILE,
        float_model=float_model,
        model=model,
        recipe=recipe,
        parameters=parameters,
        facts=facts,
    )


def _in_fixed_point(
    network: Network, slice_: CompressSlice, float_model: bytes, scratch: Path
) -> _Made:
    """Train on in fixed point: the network that targets compile is then what that leaves."""
    hgq = importlib.import_module("edgeflow.compress.hgq")
    made = hgq.apply(network, slice_.recipe.hgq, scratch)
    samples = network.dataset.tensors("validation")[:SAMPLES]
    before, after = flatbuffer_form(float_model), flatbuffer_form(made.model)
    with running(network.title, "hgq"):
        require_close(network.title, "quantize: hgq", before, after, samples)
    return _Made(
        network=made.network,
        float_model=float_model,
        model=made.model,
        recipe=slice_.recipe,
        parameters=int(network.model.count_params()),
        facts=made.facts,
    )


def _require_one_output(name: str, folder: Path, recipe: Recipe) -> None:
    """Refuse to train on what has outputs that no truth is known of: they would drift away."""
    outputs = read_manifest(folder / "manifest.json").facts["outputs"]
    if recipe.stages() and len(outputs) > 1:
        raise TrainingError(
            f"{name}: the recipe trains ({', '.join(recipe.stages())}), and the dataset has the "
            f"truth of one of the {len(outputs)} outputs: {', '.join(outputs)}",
            hint="only quantize the model, or bring it with one `output`",
        )


def _source(name: str, network: Network, recipe: Recipe) -> FloatModel:
    """Return the network as the converter takes it; one for integers must have no loops."""
    if recipe.quantize not in CALIBRATED:
        return FloatModel(network.model)
    model = unrolled(network.keras, network.model)
    samples = samples_for(network.dataset, recipe)
    forms = keras_form(network.model), keras_form(model)
    require_exact(name, "unrolling recurrent layers", *forms, samples)
    return FloatModel(model)


def _from_file(name: str, dataset: DatasetView, folder: Path, recipe: Recipe) -> _Made:
    """Convert a model that came from a file and has no layers to train."""
    if recipe.stages():
        raise TrainingError(
            f"{name}: the model came from a file that cannot be trained on, and the recipe "
            f"trains: {', '.join(recipe.stages())}",
            hint="bring the model as a .h5 or .keras file of Keras 2, or only quantize it",
        )
    manifest = read_manifest(folder / "manifest.json")
    file = GRAPH_FILE if GRAPH_FILE in manifest.files else FLATBUFFER_FILE
    verify_files(folder / "manifest.json", [file])
    source = open_source(folder / file)
    float_model = convert_float(name, source, dataset, recipe)
    model, facts = quantized(name, source, dataset, recipe, float_model)
    parameters = manifest.facts["parameters"]
    return _Made(
        network=folder / file,
        float_model=float_model,
        model=model,
        recipe=recipe,
        parameters=parameters,
        facts=facts,
    )


def _passed_on(name: str, folder: Path, recipe: Recipe, given: dict[str, str]) -> _Made:
    """Hand on a .tflite that was quantized before it came here; there is no float network."""
    if recipe != Recipe():
        raise CompileError(
            f"{name}: the model is quantized already ({given['quantize']})",
            hint="use an empty recipe, `{}`, or bring the float model",
        )
    verify_files(folder / "manifest.json", [FLATBUFFER_FILE])
    file, applied = folder / FLATBUFFER_FILE, Recipe.model_validate(given)
    model = file.read_bytes()
    return _Made(network=file, float_model=model, model=model, recipe=applied, parameters=None)
