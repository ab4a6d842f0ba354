"""Channels that are kept or removed together, found while a network is walked through."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Channels: TypeAlias = NDArray[np.int64]
"""The number of a channel for each position of a tensor's last axis."""


class Ties:
    """Numbered channels, which of them are one, and the groups that they come in.

    A group is what one layer makes, with all that is tied to it by sums and the like. It is pruned
    as a whole: of its channels a share goes.
    """

    def __init__(self) -> None:
        self._same = _Partition()
        self._group = _Partition()
        self._frozen: set[int] = set()

    def open(self, count: int) -> Channels:
        """Return new channels, in a group of their own."""
        self._same.grow(count)
        first = self._group.grow(count)
        channels = np.arange(first, first + count)
        for channel in channels[1:]:
            self._group.join(int(channels[0]), int(channel))
        return channels

    def tie(self, some: Channels, others: Channels) -> None:
        """Make channels one with those at the same positions of another tensor."""
        for pair in zip(some.tolist(), others.tolist(), strict=True):
            self._same.join(*pair)
            self._group.join(*pair)

    def freeze(self, channels: Channels) -> None:
        """Forbid removing anything from the groups of these channels."""
        self._frozen.update(channels.tolist())

    def settled(self, channels: Channels) -> Channels:
        """Return channels with one number for those that are one."""
        return np.array([self._same.root(channel) for channel in channels.tolist()], np.int64)

    def groups(self) -> list[Channels]:
        """Return the groups that can be pruned, as settled numbers in ascending order."""
        frozen = {self._group.root(channel) for channel in self._frozen}
        groups: dict[int, set[int]] = {}
        for channel in range(len(self)):
            if (group := self._group.root(channel)) not in frozen:
                groups.setdefault(group, set()).add(self._same.root(channel))
        return [np.array(sorted(group)) for group in groups.values() if len(group) > 1]

    def __len__(self) -> int:
        return self._same.grow(0)


class _Partition:
    """Disjoint sets of integers (union-find); the smallest member stands for its set."""

    def __init__(self) -> None:
        self._parent: list[int] = []

    def grow(self, count: int) -> int:
        """Add sets of one member each; return the first of them."""
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        return first

    def root(self, member: int) -> int:
        while (parent := self._parent[member]) != member:
            self._parent[member] = self._parent[parent]
            member = parent
        return member

    def join(self, one: Any, other: Any) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self._parent[high] = low
