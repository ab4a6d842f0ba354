"""What a verb answers: one JSON object, also of a refusal."""

from __future__ import annotations

# Not typing's: importing that would make each start of the agent slower by milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    Json = Dict[str, Any]

PROTOCOL = 2
EXIT_CODES = {"usage": 64, "corrupt": 65, "rejected": 65, "unhealthy": 66, "locked": 75}


class Refused(Exception):
    """A verb's failure: `error` is its kind for programs, `detail` the reason for people."""

    def __init__(self, error: str, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.answer: Json = dict(facts, error=error, detail=detail)
