"""Layers of which hls4ml 1.3 makes something else than Keras computes, made right."""

from typing import Any


def correct() -> None:
    """Replace hls4ml's readers of these layers, and its passes over them."""
    from hls4ml.converters.keras_v3.conv import ConvHandler
    from hls4ml.converters.keras_v3.core import ReLUHandler
    from hls4ml.converters.keras_v3.hgq2._base import QConvHandler

    _correct_relu(ReLUHandler, "keras.src.layers.activations.relu.ReLU")
    _correct_convolution(QConvHandler, "hgq.layers.conv.QConv2D")
    kinds = (
        "conv2d.Conv2D",
        "depthwise_conv2d.DepthwiseConv2D",
        "separable_conv2d.SeparableConv2D",
    )
    of_keras = (f"keras.src.layers.convolutional.{kind}" for kind in kinds)
    _correct_convolution(ConvHandler, *of_keras)
    _correct_global_pooling()
    _correct_depthwise_normalization()


def _correct_relu(reader: Any, *layers: str) -> None:
    """Have hls4ml read a plain `ReLU` layer as the activation `relu`.

    It overwrites what it has for one by a ReLU with a threshold. Of a threshold of 0 it makes a
    type without digits, and the comparison with it is wrong.
    """

    class Reader(reader):  # type: ignore[misc]  # hls4ml registers it for what it handles
        handles = layers

        def handle(self, layer: Any, inputs: Any, outputs: Any) -> tuple[dict[str, Any]]:
            (read,) = super().handle(layer, inputs, outputs)
            if read.get("activ_param") == 0:
                del read["activ_param"]
                read |= {"class_name": "Activation", "activation": "relu"}
            return (read,)


def _correct_global_pooling() -> None:
    """Have the sum of a global average get a type that holds it, as those of other averages do.

    hls4ml gives it the type of all inputs, in which the sum over an image wraps.
    """
    from hls4ml.model.optimizer.passes.infer_precision import InferPrecisionTypes

    infer = InferPrecisionTypes._infer_precision

    def inferred(self: Any, node: Any, types: Any) -> Any:
        if node.class_name in ("GlobalPooling1D", "GlobalPooling2D"):
            return self._infer_pooling_precision(node, types)
        return infer(self, node, types)

    InferPrecisionTypes._infer_precision = inferred


def _correct_depthwise_normalization() -> None:
    """Have a normalization scale the channels of the depthwise convolution that it becomes part of.

    hls4ml multiplies all channels by all scales, and reads the first of the products as a kernel.
    """
    from hls4ml.model.optimizer.passes.bn_fuse import FuseBatchNormalization

    fuse = FuseBatchNormalization.transform

    def fused(self: Any, model: Any, node: Any) -> Any:
        convolution = node.get_input_node()
        done = fuse(self, model, node)
        if done and convolution.class_name in ("DepthwiseConv1D", "DepthwiseConv2D"):
            every = convolution.weights["weight"].data
            own = every.diagonal(axis1=-2, axis2=-1)[..., None]
            convolution.add_weights_variable(name="weight", var_name="w{index}", data=own)
        return done

    FuseBatchNormalization.transform = fused


def _correct_convolution(reader: Any, *layers: str) -> None:
    """Have convolutions with groups, a dilation or several filters a channel read as plain ones.

    hls4ml knows none of the three: it fails, computes another network, or what it makes aborts.
    The plain ones have zeros in their kernels, which take no hardware.
    """
    from hls4ml.converters.keras_v3.conv import gen_conv_config

    class Reader(reader):  # type: ignore[misc]  # hls4ml registers it for what it handles
        handles = layers

        def load_weight(self, layer: Any, key: str) -> Any:
            if key != "kernel":
                return super().load_weight(layer, key)
            own = key if hasattr(layer, key) else "depthwise_kernel"
            return _plain(super().load_weight(layer, own), layer)

        def handle(self, layer: Any, inputs: Any, outputs: Any) -> dict[str, Any]:
            read: dict[str, Any] = super().handle(layer, inputs, outputs)
            ends = (tuple(side[0].shape[1:]) for side in (inputs, outputs))
            steps = zip(layer.kernel_size, layer.dilation_rate, strict=True)
            window = tuple((size - 1) * step + 1 for size, step in steps)
            how = (layer.strides, layer.padding, layer.data_format, layer.name)
            read |= gen_conv_config(*ends, window, *how)
            if getattr(layer, "depth_multiplier", 1) > 1:
                read["class_name"] = "Conv2D"
            return read


def _plain(kernel: Any, layer: Any) -> Any:
    several = getattr(layer, "depth_multiplier", 1)
    if several > 1 and hasattr(layer, "pointwise_kernel"):
        raise ValueError(f"it has no form for {layer.name}, with a depth_multiplier of {several}")
    if several == 1:
        return plain_kernel(kernel, layer.dilation_rate, getattr(layer, "groups", 1))
    height, width, channels = kernel.shape[:3]
    grouped = kernel.reshape(height, width, 1, channels * several)
    return plain_kernel(grouped, layer.dilation_rate, channels)


def plain_kernel(kernel: Any, dilation: tuple[int, int], groups: int) -> Any:
    """Return the kernel of the same convolution without dilation and groups.

    Args:
        kernel: (height, width, channels of a group, filters); of a depthwise one
            (height, width, channels, multiplier) with one group.
        dilation: along height and width.
        groups: of channels, as many as of filters.
    """
    import numpy as np

    height, width, channels, filters = kernel.shape
    down, right = dilation
    spread = (height - 1) * down + 1, (width - 1) * right + 1
    found = np.zeros((*spread, channels * groups, filters), kernel.dtype)
    for group in range(groups):
        read = slice(group * channels, (group + 1) * channels)
        made = slice(group * filters // groups, (group + 1) * filters // groups)
        found[::down, ::right, read, made] = kernel[..., made]
    return found
