"""Names in a raw configuration that must be given elsewhere in it."""

from collections.abc import Iterable, Iterator, Mapping

from edgeflow.config.finding import Finding, Keys, did_you_mean
from edgeflow.config.raw import Entry


def missing(
    raw: Entry, section: str, name: object, keys: Keys, more: Iterable[str] = ()
) -> Iterator[Finding]:
    """Yield a finding if a section has no entry `name`; `more` are names that count too."""
    named = raw.get(section)
    if not isinstance(name, str) or not isinstance(named, Mapping):
        return
    known = [*more, *(str(key) for key in named)]
    if name not in known:
        message = f"no {section.removesuffix('s')} {name!r}"
        yield Finding(keys=keys, message=message, hint=did_you_mean(name, known))
