"""The page of a survey: one HTML file that needs no other."""

from collections.abc import Sequence
from pathlib import Path

from edgeflow.artifact.atomic import write_text
from edgeflow.project.draft import TEMPLATES
from edgeflow.project.survey.base import Survey
from edgeflow.report.theme import TONES

ROWS = 200
"""Classes in a table; further ones are counted."""


def write_page(surveys: Sequence[Survey], out: Path) -> None:
    """Write the page of some datasets."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True)
    source = (TEMPLATES / "data.html").read_text(encoding="utf-8")
    page = environment.from_string(source).render(surveys=surveys, tones=TONES, most=ROWS)
    write_text(out, page)
