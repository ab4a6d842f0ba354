"""A project before it is written: the text of its files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeflow.paths import workflow_folder

TEMPLATES = Path(__file__).parent / "templates"
SETTINGS = "profiles/default/config.yaml"
"""Snakemake reads them in the project alone; `edgeflow run` would find edgeflow's own."""

FLOAT, INT8, AS_IT_IS = "fp32", "int8", "as-it-is"
RECIPES: Mapping[str, str] = {
    FLOAT: "fp32: {} # float32, to compare with",
    INT8: "int8: {quantize: ptq-int8} # weights and activations in 8 bits: smaller and faster",
    AS_IT_IS: "as-it-is: {} # a model that is quantized already stays as it is",
}
"""Recipes by name, as they stand in a configuration."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What a new project holds.

    Attributes:
        title: what the project is, in a sentence.
        model_name: the model's name.
        dataset: YAML of the entry in `datasets`.
        model: YAML of the entry in `models`.
        recipes: names of recipes, each deployed to a device of its own.
        gates: of the recipes that have some, lines of YAML.
        brought: a file or folder of data that comes with the project, if one does.
        brought_what: what that is, in a sentence.
        bring: writes it into a folder.
        host: of a board, in a comment.
        user: the account there.
    """

    title: str
    model_name: str
    dataset: str
    model: str
    recipes: Sequence[str] = (INT8, FLOAT)
    gates: Mapping[str, Sequence[str]] = field(default_factory=dict)
    brought: str = ""
    brought_what: str = ""
    bring: Callable[[Path], None] = lambda _: None
    host: str = "board.local"
    user: str = "pi"


def texts(name: str, draft: Draft) -> dict[str, str]:
    """Return the files of a project by their names.

    Args:
        name: of the project, for its README.
        draft: what it holds.
    """
    return {
        "Snakefile": (TEMPLATES / "Snakefile").read_text(encoding="utf-8"),
        SETTINGS: (workflow_folder() / SETTINGS).read_text(encoding="utf-8"),
        "config.schema.json": schema_text(),
        ".gitignore": (TEMPLATES / "gitignore").read_text(encoding="utf-8"),
        "README.md": _rendered("README.md", name=name, **_fields(draft)),
        "config.yaml": _rendered("config.yaml", **_fields(draft)),
    }


def schema_text() -> str:
    """Return the JSON schema of a configuration, with the targets that are installed here."""
    import json

    from edgeflow.config.schema import json_schema

    return json.dumps(json_schema(), indent=2) + "\n"


def _fields(draft: Draft) -> dict[str, object]:
    deployments = [
        {"recipe": recipe, "device": f"virtual-{number}", "gates": draft.gates.get(recipe, ())}
        for number, recipe in enumerate(draft.recipes, 1)
    ]
    return {
        "title": draft.title,
        "dataset": draft.dataset,
        "model": draft.model,
        "model_name": draft.model_name,
        "recipes": "\n".join(RECIPES[recipe] for recipe in draft.recipes),
        "deployments": deployments,
        "brought": draft.brought,
        "brought_what": draft.brought_what,
        "host": draft.host,
        "user": draft.user,
    }


def _rendered(template: str, **values: object) -> str:
    from jinja2 import Environment, StrictUndefined

    # S701: what is written is YAML and Markdown, no HTML
    source = (TEMPLATES / template).read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    return environment.from_string(source).render(values)
