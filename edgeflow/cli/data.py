"""`edgeflow data`: a look at the user's data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeflow.config.dataset import Dataset
    from edgeflow.project.survey.base import Survey
    from edgeflow.project.survey.finding import Finding

PAGE = "data-check.html"
app = typer.Typer()


@app.callback()
def data() -> None:
    """Look at data before it is built."""


@app.command()
def check(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATASET|FOLDER]...",
            help="Datasets of the configuration, or data without one; by default all datasets.",
        ),
    ] = None,
    config: ConfigFile = CONFIG,
    page: Annotated[
        Path | None,
        typer.Option(
            help=f"The page with pictures to write; by default {RESULTS / PAGE}, or {PAGE} outside "
            "of a project.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read all samples; tell unusable files, copies, and what a network would learn badly from.

    Exits with 9 if a build would fail, and with 0 where there are warnings alone.
    """
    from edgeflow.errors import DataError
    from edgeflow.project.survey.finding import failed
    from edgeflow.project.survey.page import write_page
    from edgeflow.project.survey.run import survey

    surveys = [survey(*each) for each in _sections(what or [], config)]
    page = page or (RESULTS / PAGE if config.exists() else Path(PAGE))
    for each in surveys if not as_json else ():  # also where the page cannot be written
        _print(each)
    write_page(surveys, page)
    if as_json:
        print_json({"datasets": [each.json() for each in surveys], "page": str(page)})
    else:
        print(f"page: {page}")
    wrong = any(failed(each.findings) for each in surveys)
    raise typer.Exit(DataError.exit_code if wrong else 0)


def _sections(wanted: list[str], config: Path) -> "Iterator[tuple[str, Dataset, list[Finding]]]":
    """Yield what to look at, by name, with what is to be said of how it is read.

    Raises:
        DataError: nothing lies at a path that edgeflow has a source for.
    """
    from edgeflow.config.load import load_file
    from edgeflow.project.propose import section_of

    datasets = load_file(config).datasets if not wanted or config.exists() else {}
    for name in wanted or datasets:
        if name in datasets:
            yield name, datasets[name], []
        elif Path(name).expanduser().exists():
            yield name, *section_of(Path(name))
        else:
            known = f"; datasets are {', '.join(datasets)}" if datasets else ""
            raise typer.BadParameter(f"{name!r} is no dataset, file or folder{known}")


def _print(survey: "Survey") -> None:
    from edgeflow.text import excerpt

    print(f"{survey.name}: {survey.source}{f' {survey.path}' if survey.path else ''}")
    for part, classes in survey.counts.items():
        shown = [f"{label} {count:,}" for label, count in list(classes.items())[:12]]
        more = [f"and {len(classes) - 12} more"] if len(classes) > 12 else []
        total = f"{sum(classes.values()):,} samples of {len(classes)} classes"
        print(f"  {excerpt(f'{part}: {total}: ' + ', '.join([*shown, *more]), 400)}")
    for name, value in survey.facts.items():
        print(f"  {name}: {value}")
    for finding in survey.findings:
        print(f"  {excerpt(finding.line(), 1000)}")
