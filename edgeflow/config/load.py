"""Reads a configuration and reports all that is wrong with it at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgeflow.config.crosscheck import cross_check
from edgeflow.config.document import read_document
from edgeflow.config.expansion import expand
from edgeflow.config.explain import explain
from edgeflow.config.finding import Finding, Keys, dotted
from edgeflow.config.gatefit import unmeasurable
from edgeflow.config.networkcheck import check_networks
from edgeflow.config.raw import Raw
from edgeflow.config.root import Config
from edgeflow.config.signing import settled
from edgeflow.config.sourcecheck import check_sources
from edgeflow.config.tasks import check_tasks
from edgeflow.errors import ConfigError, Problem

Look = Callable[[Mapping[str, Any]], Iterable[Finding]]
"""Yields what is wrong with what a raw configuration, without families, speaks of."""


def load_file(path: Path, looks: Iterable[Look] = ()) -> Config:
    """Read and validate a configuration file.

    Args:
        path: the file.
        looks: what else to look at; they are given what may be invalid.

    Raises:
        ConfigError: with every problem found, each with its path and line.
    """
    document = read_document(path)
    config, findings = _validate(document.value, looks)
    return _result(config, [*document.repeated(), *findings], str(path), document.lines())


def parse(raw: object, *, source: str = "config") -> Config:
    """Validate a configuration that was read already.

    Args:
        raw: the mapping that YAML or JSON gave.
        source: what to call it in messages.

    Raises:
        ConfigError: with every problem found.
    """
    config, findings = _validate(raw)
    return _result(config, findings, source, lambda _: None)


def _validate(raw: object, looks: Iterable[Look] = ()) -> tuple[Config | None, list[Finding]]:
    if not isinstance(raw, Mapping) or not raw:
        required = [name for name, field in Config.model_fields.items() if field.is_required()]
        message = "empty" if not raw else "not a mapping"
        hint = f"it needs the sections {', '.join(required)}"
        return None, [Finding(keys=(), message=message, hint=hint)]
    expansion = expand(raw)
    plain = Raw(expansion.raw)
    findings = cross_check(plain, families=expansion.families)
    findings += [*check_networks(plain), *check_sources(plain)]
    findings += [*check_tasks(plain), *unmeasurable(plain)]
    config = None
    try:
        config = settled(Config.model_validate(expansion.raw))
    except ValidationError as error:
        findings += explain(error, Config, expansion.raw)
    findings += [finding for look in looks for finding in look(plain)]
    return config, [*expansion.findings, *expansion.locate(findings)]


def _result(
    config: Config | None,
    findings: Sequence[Finding],
    source: str,
    line_of: Callable[[Keys], int | None],
) -> Config:
    """Return the configuration, or raise its problems in the order of the file."""
    if config is not None and not findings:
        return config
    first: dict[str, Problem] = {}
    for finding in findings:  # one place, one problem: what follows from the first is no news
        path = finding.path or source
        hint = "; ".join(filter(None, [finding.hint, _see(finding.see)]))
        line = line_of(finding.keys)
        problem = Problem(path=path, message=finding.message, hint=hint, line=line)
        first.setdefault(path, problem)
    raise ConfigError(sorted(first.values(), key=lambda p: p.line or 0), source=source)


def _see(keys: Keys) -> str:
    return f"see {dotted(keys)}" if keys else ""
