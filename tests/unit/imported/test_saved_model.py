"""A SavedModel becomes a frozen graph, and goes through the recipes that do not train."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.compress.build import compress_model
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError, TrainingError
from tests.unit.imported.conftest import Import

QUANTIZE = ("none", "fp16", "dynamic", "ptq-int8", "ptq-int16x8")


@pytest.fixture
def saved(network: Any, tmp_path: Path) -> Path:
    import tensorflow as tf

    tf.saved_model.save(network, str(tmp_path / "saved"))
    return tmp_path / "saved"


def test_all_recipes_that_do_not_train(
    bring: Import, saved: Path, network: Any, view: DatasetView, tmp_path: Path
) -> None:
    manifest = bring(saved, "saved_model")
    assert set(manifest.files) == {"graph.pb", "history.csv", "outputs.npy"}
    assert manifest.facts["parameters"] == network.count_params()
    wanted = network(view.inputs("test")).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "baseline/outputs.npy"), wanted, atol=1e-5)
    sizes = {}
    for quantize in QUANTIZE:
        slice_ = {"recipe": {"quantize": quantize}}
        out = tmp_path / quantize
        facts = compress_model("m", view.folder, tmp_path / "baseline", slice_, "0", out).facts
        error = np.abs(np.load(out / "outputs.npy") - wanted).mean()
        assert error < 0.05 * np.abs(wanted).max()
        sizes[quantize] = facts["size_bytes"]
    assert max(sizes, key=lambda name: sizes[name]) == "none"


def test_the_graph_is_the_same_bytes_each_time(bring: Import, saved: Path, tmp_path: Path) -> None:
    first = bring(saved, "saved_model")
    assert bring(saved, "saved_model", tmp_path / "again").files == first.files


def test_a_recipe_that_trains_is_refused(
    bring: Import, saved: Path, digits: Path, tmp_path: Path
) -> None:
    bring(saved, "saved_model")
    slice_ = {"recipe": {"prune": {}}, "train": {"threads": 1}}
    with pytest.raises(TrainingError, match="cannot be trained on, and the recipe trains: prune"):
        compress_model("m", digits, tmp_path / "baseline", slice_, "0", tmp_path / "out")


def test_a_recurrent_network(bring: Import, keras: Any, view: DatasetView, tmp_path: Path) -> None:
    import tensorflow as tf

    inputs = keras.Input(batch_shape=(1, 8, 8, 1))
    rows = keras.layers.Reshape((8, 8))(inputs)
    model = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.LSTM(4)(rows)))
    tf.saved_model.save(model, str(tmp_path / "saved"))
    bring(tmp_path / "saved", "saved_model")
    wanted = np.concatenate([model(sample[None]) for sample in view.inputs("test")])
    np.testing.assert_allclose(np.load(tmp_path / "baseline/outputs.npy"), wanted, atol=1e-5)
    slice_: dict[str, Any] = {"recipe": {}}
    compress_model("m", view.folder, tmp_path / "baseline", slice_, "0", tmp_path / "fp32")
    np.testing.assert_allclose(np.load(tmp_path / "fp32/outputs.npy"), wanted, atol=1e-4)


def test_models_that_cannot_be_served(bring: Import, tmp_path: Path) -> None:
    import tensorflow as tf

    class Two(tf.Module):  # type: ignore[misc]  # untyped
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 1), tf.float32)])  # type: ignore[untyped-decorator]
        def both(self, x: Any) -> dict[str, Any]:
            return {"a": x, "b": x}

    two = Two()
    tf.saved_model.save(tf.Module(), str(tmp_path / "bare"))
    with pytest.raises(CompileError, match="no signature 'serving_default'"):
        bring(tmp_path / "bare", "saved_model")
    tf.saved_model.save(two, str(tmp_path / "two"), signatures=two.both)
    with pytest.raises(CompileError, match="it has 2 outputs: 'a', 'b', .* 0 of them") as caught:
        bring(tmp_path / "two", "saved_model")
    assert "`output`" in caught.value.hint


def test_a_key_of_the_signature_with_free_sizes_and_integers(
    bring: Import, view: DatasetView, tmp_path: Path
) -> None:
    import tensorflow as tf

    class Net(tf.Module):  # type: ignore[misc]  # untyped
        @tf.function(input_signature=[tf.TensorSpec((None, None, None), tf.int32)])  # type: ignore[untyped-decorator]
        def both(self, x: Any) -> dict[str, Any]:
            rows = tf.cast(tf.reshape(x, (-1, 1, 1, 64))[..., 20:30], tf.float64)
            return {"odds": tf.nn.softmax(rows), "rows": rows}

    net = Net()
    tf.saved_model.save(net, str(tmp_path / "two"), signatures=net.both)
    bring(tmp_path / "two", "saved_model", output="rows")
    wanted = view.inputs("test").astype(np.int32).reshape(-1, 64)[:, 20:30]
    np.testing.assert_array_equal(np.load(tmp_path / "baseline/outputs.npy"), wanted)


def test_a_signature_that_needs_more_than_the_sample(bring: Import, tmp_path: Path) -> None:
    import tensorflow as tf

    class Net(tf.Module):  # type: ignore[misc]  # untyped
        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=[
                tf.TensorSpec((None, 8, 8, 1), tf.float32, name="image"),
                tf.TensorSpec((None, 10), tf.float32, name="state"),
            ]
        )
        def net(self, image: Any, state: Any) -> Any:
            return tf.reshape(image, (-1, 64))[:, :10] + state

    net = Net()
    tf.saved_model.save(net, str(tmp_path / "two"), signatures=net.net)
    for choice in ({}, {"input": "image"}):  # no choice would help
        with pytest.raises(CompileError, match="needs the inputs 'state' beside 'image'"):
            bring(tmp_path / "two", "saved_model", **choice)
