"""Names in a raw configuration that must be given elsewhere in it."""

import itertools
from collections.abc import Iterable, Iterator, Mapping

from edgeflow.config.finding import Finding, Keys, did_you_mean
from edgeflow.config.raw import Entry, once

SUGGESTED = 50
"""Most missing names of one section that are compared with all that it has."""


def missing(
    raw: Entry, section: str, name: object, keys: Keys, more: Iterable[str] = ()
) -> Iterator[Finding]:
    """Yield a finding if a section has no entry `name`; `more` are names that count too."""
    named = raw.get(section)
    if not isinstance(name, str) or not isinstance(named, Mapping) or name in named:
        return
    if name not in more and name not in _names(raw, section):
        few = next(_missing_so_far(raw, section)) < SUGGESTED
        hint = did_you_mean(name, [*more, *_names(raw, section)]) if few else ""
        yield Finding(keys=keys, message=f"no {section.removesuffix('s')} {name!r}", hint=hint)


@once
def _names(raw: Entry, section: str) -> frozenset[str]:
    return frozenset(map(str, raw[section]))


@once
def _missing_so_far(_raw: Entry, _section: str) -> Iterator[int]:
    return itertools.count()
