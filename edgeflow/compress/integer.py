"""Whether a model is integer all through, as an int8 recipe promises."""

from edgeflow.errors import CompileError


def float_tensors(flatbuffer: bytes) -> list[str]:
    """Return the names of the float tensors that operators of a .tflite read or write."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=flatbuffer,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    # Some tensors only hold the ranges within a fused operator (`input_to_cell_intermediate` of
    # an LSTM); nothing computes with them.
    used = {
        int(index)
        for entry in interpreter._get_ops_details()
        for index in (*entry["inputs"], *entry["outputs"])
    }
    floats = (np.float32, np.float16)
    tensors = interpreter.get_tensor_details()
    return [t["name"] for t in tensors if t["dtype"] in floats and t["index"] in used]


def require_integer(name: str, flatbuffer: bytes, quantize: str) -> None:
    """Refuse a model with an operator that was silently left in float.

    Raises:
        CompileError: a tensor is float; it names them.
    """
    floats = float_tensors(flatbuffer)
    if floats:
        raise CompileError(
            f"{name} is not fully integer: {len(floats)} tensors are float, among them "
            + ", ".join(floats[:3]),
            hint="an operator has no int8 form; replace it, or "
            + (
                "name it in `keep_float`"
                if quantize == "ptq-int8"
                else "use `quantize: ptq-int8`, whose `keep_float` leaves layers in float"
            ),
        )
