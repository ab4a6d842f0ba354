"""The four networks of MLPerf Tiny, built here and briefly trained on what scikit-learn carries.

Source of the architectures: github.com/mlcommons/tiny, benchmark/training. Their weights are of no
concern to counts of instructions and bytes; they learn a little so that activations are spread as
those of a real network. Dense layers are quantized per tensor, as those of MLPerf Tiny are.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
SEED = 12
SAMPLES = 1000


def photographs(size: int, count: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return square sections of two photographs, [count, size, size, 3] in 0...1, and of which."""
    from sklearn.datasets import load_sample_images

    random = np.random.default_rng(SEED)
    images = load_sample_images().images
    which = random.integers(0, 2, count)
    rows, columns = (random.integers(0, images[0].shape[axis] - size, count) for axis in (0, 1))
    places = zip(which, rows, columns, strict=True)
    sections = [images[w][r : r + size, c : c + size] for w, r, c in places]
    return np.stack(sections).astype(np.float32) / 255, which


def digits(length: int, count: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return handwritten digits one after the other, [count, length] in 0...1, and the first."""
    from sklearn.datasets import load_digits

    found = load_digits()
    random = np.random.default_rng(SEED)
    chosen = random.integers(0, len(found.data), (count, -(-length // 64)))
    return (
        found.data[chosen].reshape(count, -1)[:, :length].astype(np.float32) / 16,
        found.target[chosen[:, 0]],
    )


def sounds() -> tuple[Floats, NDArray[np.int64]]:
    """Return digits in the form of features of sound, [1000, 49, 10, 1]."""
    values, labels = digits(490, SAMPLES)
    return values.reshape(-1, 49, 10, 1), labels


def resnet8(keras: Any) -> Any:
    """Image classification: ResNet-8 for 32 x 32 x 3."""
    layers = keras.layers

    def convolved(x: Any, filters: int, kernel: int, stride: int) -> Any:
        return layers.Conv2D(filters, kernel, stride, "same")(x)

    def normed(x: Any) -> Any:
        return layers.BatchNormalization()(x)

    source = x = layers.Input((32, 32, 3))
    x = layers.ReLU()(normed(convolved(x, 16, 3, 1)))
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        y = layers.ReLU()(normed(convolved(x, filters, 3, stride)))
        y = normed(convolved(y, filters, 3, 1))
        x = x if stride == 1 else convolved(x, filters, 1, stride)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(source, layers.Dense(10, "softmax")(x))


def ds_cnn(keras: Any) -> Any:
    """Keyword spotting: DS-CNN for 49 x 10 features of sound."""
    layers = keras.layers
    source = layers.Input((49, 10, 1))
    x = layers.Conv2D(64, (10, 4), 2, "same")(source)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for _ in range(4):
        x = layers.DepthwiseConv2D(3, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Conv2D(64, 1)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Flatten()(layers.AveragePooling2D((25, 5))(x))
    return keras.Model(source, layers.Dense(12, "softmax")(x))


def mobilenet(keras: Any) -> Any:
    """Visual wake words: MobileNetV1 at a width of 0.25 for 96 x 96 x 3."""
    layers = keras.layers
    source = layers.Input((96, 96, 3))
    x = layers.Conv2D(8, 3, 2, "same", use_bias=False)(source)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    steps = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2)]
    for filters, stride in [*steps, (256, 1)]:
        x = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Flatten()(layers.AveragePooling2D(3)(x))
    return keras.Model(source, layers.Dense(2, "softmax")(x))


def autoencoder(keras: Any) -> Any:
    """Anomaly detection: a deep autoencoder for 640 features of sound."""
    layers = keras.layers
    source = x = layers.Input((640,))
    for width in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(width)(x)))
    return keras.Model(source, layers.Dense(640)(x))


NETWORKS: dict[str, tuple[Callable[[Any], Any], Callable[[], tuple[Floats, Any]]]] = {
    "resnet8": (resnet8, lambda: photographs(32, SAMPLES)),
    "ds_cnn": (ds_cnn, sounds),
    "mobilenet": (mobilenet, lambda: photographs(96, SAMPLES)),
    "autoencoder": (autoencoder, lambda: (digits(640, SAMPLES)[0],) * 2),
}
"""How each network, and the real data for it, [1000, ...] with what it is to learn, are made."""


def build(name: str) -> bytes:
    """Return a network as an int8 .tflite."""
    return converted(*NETWORKS[name])


def converted(make: Callable[[Any], Any], data: Callable[[], tuple[Floats, Any]]) -> bytes:
    """Return a network as an int8 .tflite, after a short training."""
    os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3")
    import tensorflow as tf
    import tf_keras as keras

    keras.utils.set_random_seed(SEED)
    network, (x, y) = make(keras), data()
    loss = "mse" if y.ndim == 2 else "sparse_categorical_crossentropy"
    network.compile(keras.optimizers.Adam(0.002), loss)
    network.fit(x, y, batch_size=20, epochs=1, verbose=0)
    shape = (1, *network.input_shape[1:])
    function = tf.function(lambda x: network(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], network)
    converter.experimental_lower_to_saved_model = False
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in x[:100])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return bytes(converter.convert())


def main() -> None:
    """Write the networks into a folder: `python -m benchmarks.tiny DIR`."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name in NETWORKS:
        (out / f"{name}.tflite").write_bytes(build(name))


if __name__ == "__main__":
    main()
