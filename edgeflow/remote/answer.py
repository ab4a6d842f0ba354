"""What a device says, believed only where it fits a schema."""

from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from edgeflow.errors import DeployError
from edgeflow.text import clean, excerpt, reason

TEXT_MAX_CHARACTERS = 500
PROBLEMS_MAX = 3


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


Words = Annotated[str, Field(max_length=TEXT_MAX_CHARACTERS), AfterValidator(_one_line)]
"""Words of a device for people, in one line without control characters."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=1 << 62)]
Quantity = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Answer(BaseModel):
    """One JSON object from a device; nothing is converted, what is not listed is ignored."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


A = TypeVar("A", bound=BaseModel)


class MalformedError(DeployError):
    """A device answered what no program of edgeflow answers."""


def parse(kind: type[A], text: str | bytes, *, device: str, program: str) -> A:
    """Return a device's answer as its model; the parser bounds its depth.

    Args:
        kind: the model that it must fit, strictly.
        text: JSON from the device; whoever read it has bounded its length.
        device: what messages call it, as in ``device kitchen``.
        program: what answered, for the message.

    Raises:
        MalformedError: it is anything else.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        reasons = "; ".join(_reasons(error))
        raise malformed(device, program, reasons) from None


def malformed(device: str, program: str, reason: str) -> MalformedError:
    """Return the failure for an answer that cannot be believed."""
    return MalformedError(
        f"{program} on {device} gave a malformed answer: {reason}",
        hint="run the same command again; if it stays, another program answers in its place, or "
        "memory or storage there is damaged",
    )


def _reasons(error: ValidationError) -> Iterator[str]:
    problems: list[Any] = error.errors(include_url=False, include_context=False)
    for problem in problems[:PROBLEMS_MAX]:
        where = ".".join(map(str, problem["loc"]))
        why = reason(problem["msg"])
        yield excerpt(f"{where}: {why}" if where else why)
    if len(problems) > PROBLEMS_MAX:
        yield f"and {len(problems) - PROBLEMS_MAX} more"
