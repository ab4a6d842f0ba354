"""Why a network cannot be quantized."""


class Refusal(Exception):
    """What the user is told, and what to do; a worker's refusal has a `hint`."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
