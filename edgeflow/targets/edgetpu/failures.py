"""Why `edgetpu_compiler` refused a model, in its own words, and what to try next."""

import re

SUCCEEDED = re.compile(r"^(Compilation succeeded!|Models? compiled successfully in )", re.MULTILINE)

_LINT = "`edgeflow lint FILE --target edgetpu` names what the compiler does not take"
_SMALLER = (
    "a smaller input or fewer channels; `search_delegate: true` maps the part of the network that "
    "compiles"
)
_HINTS = {
    r"Model not quantized": "take a recipe with `quantize: ptq-int8` or `qat-int8`",
    r"dynamic-sized tensors": f"export the model with fixed shapes, the batch too; {_LINT}",
    r"Didn't find op for builtin opcode": (
        "the compiler of 2021 knows no such version of that operator: try another recipe, or other "
        f"layers; {_LINT}"
    ),
    r"unresolved custom op": f"take that operator out of the network; {_LINT}",
    r"large activation|Compilation timeout": f"try {_SMALLER}",
    r"Internal compiler error": f"it failed twice: try {_SMALLER}, or another recipe; {_LINT}",
    r"Invalid model|could not be parsed": f"is it a .tflite of TensorFlow Lite? {_LINT}",
}
_NOISE = re.compile(
    r"(ERROR: )?(Restored original execution plan|Registration failed)"
    r"|Compilation failed!\s*$|Compilation child process completed|Started a compilation timeout"
    r"|Edge TPU Compiler version|Try to compile|Intermediate tensors|Searching for valid delegate"
    r"|Operation log|See the operation log"
)
_REASONS_MAX = 4
_CHARACTERS_MAX = 300


def reason_of(said: str) -> str:
    """Return what the compiler says of its last failure, in one line; empty where it says nothing.

    Args:
        said: all that it printed.
    """
    last = _last(said)
    if SUCCEEDED.search(last):
        return ""
    lines = [line.strip() for line in last.splitlines()]
    telling = [_plain(line) for line in lines if line and not _NOISE.match(line)]
    return "; ".join(dict.fromkeys(telling[-_REASONS_MAX:]))


def hint_for(said: str) -> str:
    """Return what to try after a failure; the first pattern that the output has decides."""
    last = _last(said)
    fitting = (hint for pattern, hint in _HINTS.items() if re.search(pattern, last))
    return next(fitting, f"try {_SMALLER}, or another recipe; {_LINT}")


def _last(said: str) -> str:
    """Return what the last attempt printed."""
    return re.split(r"^(?:Compilation succeeded!|(?=Try to compile))", said, flags=re.MULTILINE)[-1]


def _plain(line: str) -> str:
    """Return a line without the words that all failures begin with."""
    return re.sub(r"^((ERROR|Compilation failed): )+", "", line)[:_CHARACTERS_MAX]
