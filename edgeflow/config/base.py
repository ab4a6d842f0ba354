"""What all sections of the configuration share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler

from edgeflow.config.docstrings import descriptions
from edgeflow.paths import NAME_PATTERN

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

NAME_RULE = "a to z, 0 to 9, '-' and '_', at most 63, with a letter or digit first"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""A name the user gives: it becomes a folder, a resource and part of a remote path."""

Reference = str
"""A name given elsewhere in the file. Only names that exist pass, so it needs no pattern."""

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What Keras takes as a seed for Python, numpy and TensorFlow at once."""

Text = Annotated[str, Field(min_length=1)]
"""Text that stands for something, such as a path."""


def _plain(path: str) -> str:
    if set("{}") & set(path):
        raise ValueError("a path must have no { or }: Snakemake reads them as a wildcard")
    if any(ord(letter) < 32 for letter in path):
        raise ValueError("a path must have no line break or other control character")
    return path


def _homed(path: str) -> str:
    try:
        Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError("a path that begins with ~NAME needs an account NAME here") from error
    return path


HomePath = Annotated[Text, AfterValidator(_homed)]
"""A path on this machine that may begin with `~`."""

LocalPath = Annotated[HomePath, AfterValidator(_plain)]
"""A path on this machine that can be an input of a rule."""


class Section(BaseModel):
    """A part of the configuration; unknown keys are errors, values never change.

    Strict, so that `yes` is no number and "10" no epoch count.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,  # it may be a secret; `explain` shows what is safe
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: "CoreSchema", handler: GetJsonSchemaHandler
    ) -> "JsonSchemaValue":
        """Return the schema with what the strings below fields say of them."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in descriptions(cls).items():
            properties[name].setdefault("description", text)
        return schema
