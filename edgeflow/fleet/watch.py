"""Watches stations that have a standby: takes over from those that are down, and gives back."""

from collections import Counter
from collections.abc import Callable, Sequence

from edgeflow.errors import EdgeflowError, UnreachableError
from edgeflow.fleet.pool import for_each
from edgeflow.fleet.standby import Standby


class Watch:
    """What is known of stations from one look to the next.

    Args:
        standbys: of the stations to watch.
        after: looks in a row that find a station down before its standby takes over.
        failover: whether it does; otherwise it is only told.
        connections: most stations that are asked at a time.
    """

    def __init__(
        self, standbys: Sequence[Standby], *, after: int, failover: bool, connections: int
    ) -> None:
        self._standbys, self._after, self._failover = standbys, after, failover
        self._connections = connections
        self._down: Counter[int] = Counter()
        # Of an earlier watch that ended, a neighbour may still serve in a station's place.
        self._away = set(range(len(standbys)))

    def look(self, may_proceed: Callable[[], bool] = lambda: True) -> list[str]:
        """Ask each station once and do what follows; return what has changed, in words.

        Args:
            may_proceed: asked before each station.
        """
        said: dict[int, str] = {}

        def ask(number: int) -> None:
            try:
                said[number] = self._look(number)
            except EdgeflowError as error:  # tried again with the next look
                said[number] = f"{self._title(number)}: {error.message}"

        for_each(range(len(self._standbys)), ask, self._connections, may_proceed)
        return [said[number] for number in sorted(said) if said[number]]

    def _look(self, number: int) -> str:
        why = _down(self._standbys[number])
        if not why:
            returned = self._down.pop(number, 0) >= self._after
            back = self._give_back(number)
            return back or (f"{self._title(number)}: is back" if returned else "")
        self._down[number] += 1
        count = self._down[number]
        if count > self._after and number in self._away:
            return ""
        if count < self._after:
            return f"{self._title(number)}: {why} ({count} of {self._after})"
        return self._take_over(number, why)

    def _take_over(self, number: int, why: str) -> str:
        standby, title = self._standbys[number], self._title(number)
        if not self._failover:
            self._away.add(number)
            hint = f"edgeflow fleet failover {standby.station.name}"
            return f"{title}: {why}; to let {standby.neighbour} serve: {hint}"
        self._away.discard(number)  # until it has: a failure is tried again
        standby.take_over()
        self._away.add(number)
        return f"{title}: {why}; {standby.neighbour} serves in its place"

    def _give_back(self, number: int) -> str:
        standby = self._standbys[number]
        if number not in self._away or not self._failover:
            return ""
        gave = standby.state() == "serving" and standby.give_back()
        self._away.discard(number)
        title = self._title(number)
        return f"{title}: serves again; {standby.neighbour} gave it back" if gave else ""

    def _title(self, number: int) -> str:
        standby = self._standbys[number]
        return f"{standby.station.name} ({standby.model.name})"


def _down(standby: Standby) -> str:
    """Return why a station is down; empty if it is not."""
    try:
        seen = standby.station.look()
    except UnreachableError:
        return "does not answer"
    except EdgeflowError as error:
        return error.message
    return seen.fault or ("" if seen.current else "serves none")
