"""A configuration with all families replaced by their members, and the way back.

Everything after this sees plain models; what is found wrong there is told where the user wrote
it, once for the whole family.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgeflow.config.finding import UNKNOWN_KEY, Finding, Keys
from edgeflow.config.vary import Member, is_family, members, problems


@dataclass(frozen=True, kw_only=True, slots=True)
class Expansion:
    """What the user wrote, expanded.

    Attributes:
        raw: the configuration to validate.
        families: name of each family to its members.
        findings: what is wrong with the families themselves.
        deployments: for each deployment in `raw`, its index in the user's list.
        rollouts: those that name a family.
        models: the models as the user wrote them.
    """

    raw: dict[str, Any]
    families: Mapping[str, list[Member]]
    findings: list[Finding]
    deployments: list[int]
    rollouts: frozenset[str]
    models: Mapping[str, Any]

    def locate(self, findings: list[Finding]) -> list[Finding]:
        """Return findings in `raw` as findings in what the user wrote."""
        owners = {one.name: one for family in self.families.values() for one in family}
        return [
            replace(
                finding,
                keys=self._keys(finding.keys, owners, finding.message == UNKNOWN_KEY),
                see=self._keys(finding.see, owners),
            )
            for finding in findings
        ]

    def _keys(self, keys: Keys, owners: Mapping[str, Member], unknown: bool = False) -> Keys:
        match keys:
            case ("deployments", int(index), *rest):
                return ("deployments", self.deployments[index], *rest)
            case ("rollouts", str(name), "variants", *_) if name in self.rollouts:
                return ("rollouts", name, "model")
            case ("models", str(name), *rest) if name in owners:
                family = owners[name].family
                below = _below(self.models[family], owners[name].values, tuple(rest), unknown)
                return ("models", family, *below)
        return keys


def expand(raw: Mapping[str, Any]) -> Expansion:
    """Replace families by their members, in `models` and in `deployments`."""
    models, deployments = raw.get("models"), raw.get("deployments")
    written = models if isinstance(models, Mapping) else {}
    found = {name: entry for name, entry in written.items() if is_family(name, entry)}
    families = {name: list(members(name, entry)) for name, entry in found.items()}
    result = dict(raw)
    if families:
        result["models"] = dict(_models(written, families))
    numbered = list(enumerate(deployments)) if isinstance(deployments, list) else []
    copies = [(index, copy) for index, entry in numbered for copy in _copies(entry, families)]
    if numbered:
        result["deployments"] = [copy for _, copy in copies]
    rollouts = raw.get("rollouts")
    brought = rollouts if isinstance(rollouts, Mapping) else {}
    of_families = {name: it for name, it in brought.items() if _family(it, families) is not None}
    if of_families:
        result["rollouts"] = {
            **brought,
            **{name: _with_variants(it, families) for name, it in of_families.items()},
        }
    wrong = [finding for name, entry in found.items() for finding in problems(name, entry)]
    return Expansion(
        raw=result,
        families=families,
        findings=[*wrong, *_collisions(written, families)],
        deployments=[index for index, _ in copies],
        rollouts=frozenset(of_families),
        models=written,
    )


def _models(
    written: Mapping[str, Any], families: Mapping[str, list[Member]]
) -> Iterator[tuple[str, Any]]:
    for name, entry in written.items():
        if name in families:
            yield from ((one.name, one.entry) for one in families[name])
        else:
            yield name, entry


def _copies(entry: Any, families: Mapping[str, list[Member]]) -> Iterator[Any]:
    """Yield a deployment once for each member of the family it names, or as it is."""
    family = _family(entry, families)
    if family is None:
        yield entry
    else:
        yield from ({**entry, "model": one.name} for one in family)


def _family(entry: Any, families: Mapping[str, list[Member]]) -> list[Member] | None:
    """Return the members of the family that an entry names as its model, if it does."""
    model = entry.get("model") if isinstance(entry, Mapping) else None
    return families.get(model) if isinstance(model, str) else None


def _with_variants(
    entry: Mapping[str, Any], families: Mapping[str, list[Member]]
) -> dict[str, Any]:
    """Return a rollout of a family as one of its members, by what a device may call its own."""
    found: dict[str, str] = {}
    for one in families[entry["model"]]:
        for name in one.variants:
            found.setdefault(name, one.name)
    given = entry.get("variants")
    plain = {key: value for key, value in entry.items() if key != "model"}
    return {**plain, "variants": {**found, **(given if isinstance(given, Mapping) else {})}}


def _collisions(
    written: Mapping[str, Any], families: Mapping[str, list[Member]]
) -> Iterator[Finding]:
    owners = {name: name for name in written if name not in families}
    for family, its in families.items():
        for one in its:
            owner = owners.setdefault(one.name, family)
            if owner != family:
                message = f"its member {one.name!r} has the name of another model"
                see: Keys = ("models", owner)
                yield Finding(keys=("models", family, "vary"), message=message, see=see)
                break


def _below(entry: Mapping[str, Any], values: Mapping[str, int], keys: Keys, unknown: bool) -> Keys:
    """Return where keys below a member stand below its family."""
    for path, index in values.items():
        parts = tuple(path.split("."))
        if keys[: len(parts)] == parts and not unknown:
            return ("vary", path, index, *keys[len(parts) :])
        if unknown and parts[: len(keys)] == keys and not _has(entry, keys):
            return ("vary", path)  # wrong whatever the value
    return keys


def _has(entry: Any, keys: Keys) -> bool:
    for key in keys:
        if not isinstance(entry, Mapping) or key not in entry:
            return False
        entry = entry[key]
    return True
