"""Small .tflite files for the compiler's rules, made without a converter."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

OPTIONS = {
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "PACK": "PackOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
}


class Net:
    """A network that grows by an operator at a time; tensors are known by their indices."""

    def __init__(self, *shape: int, dtype: str = "int8") -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema = schema
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph.tensors, self.graph.operators, self.graph.inputs = [], [], []
        self.outputs: list[int] = []
        self.input = self.tensor(*shape, dtype=dtype)
        self.graph.inputs.append(self.input)

    def tensor(self, *shape: int, dtype: str = "int8", scales: int = 1) -> int:
        """Add a tensor that is computed."""
        tensor, quantization = self.schema.TensorT(), self.schema.QuantizationParametersT()
        tensor.name, tensor.shape, tensor.buffer = f"t{len(self.graph.tensors)}", list(shape), 0
        tensor.type = getattr(self.schema.TensorType, dtype.upper())
        if dtype in {"int8", "uint8", "int16"}:
            quantization.scale, quantization.zeroPoint = [0.5] * scales, [0] * scales
            tensor.quantization = quantization
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, value: ArrayLike, dtype: str = "int32", scales: int = 1) -> int:
        """Add a constant."""
        array, buffer = np.array(value, dtype), self.schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        index = self.tensor(*array.shape, dtype=dtype, scales=scales)
        self.graph.tensors[index].buffer = len(self.model.buffers) - 1
        return index

    def weights(self, *shape: int, scales: int = 1) -> int:
        """Add int8 weights."""
        return self.constant(np.ones(shape), "int8", scales)

    def add(
        self, name: str, inputs: list[int], *shape: int, version: int = 1, **options: Any
    ) -> int:
        """Add an operator that writes a tensor of a shape, int8 or of the type `dtype`."""
        out = self.tensor(*shape, dtype=options.pop("dtype", "int8"))
        self.node(name, inputs, [out], version=version, **options)
        return out

    def node(
        self, name: str, inputs: list[int], outputs: list[int], version: int = 1, **options: Any
    ) -> None:
        """Add an operator with all that it reads and writes."""
        code, operator = self.schema.OperatorCodeT(), self.schema.OperatorT()
        number = getattr(self.schema.BuiltinOperator, name, self.schema.BuiltinOperator.CUSTOM)
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        code.customCode, code.version = None if name.isupper() else name, version
        operator.opcodeIndex = len(self.model.operatorCodes)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options:
            kind = OPTIONS[name]
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(self.schema, f"{kind}T")()
            for key, value in options.items():
                setattr(operator.builtinOptions, key, value)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(operator)
        self.outputs = outputs

    def conv(self, data: int, *shape: int, **options: Any) -> int:
        """Add a convolution of 1x1 that writes a shape."""
        channels = int(self.graph.tensors[data].shape[-1])
        weights, bias = self.weights(shape[-1], 1, 1, channels), self.constant([0] * shape[-1])
        return self.add("CONV_2D", [data, weights, bias], *shape, version=3, **options)

    def write(self, path: Path) -> Path:
        """Write the file; the last operator's outputs are the network's."""
        from ai_edge_litert.tools import flatbuffer_utils

        self.graph.outputs = self.outputs
        flatbuffer_utils.write_model(self.model, str(path))
        return path
