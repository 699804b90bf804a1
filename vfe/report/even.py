"""A few evenly spaced things of a stream whose length nobody knows."""

from __future__ import annotations

from typing import Generic, TypeVar

Thing = TypeVar("Thing")


def spacing(count: int, most: int, every: int = 1) -> int:
    """Return the distance of what an `EvenSample` keeps of `count` things in the end, where it begins with `every`.

    >>> spacing(1000, 400, 4), spacing(1601, 400, 4)
    (4, 8)
    """
    while -(-count // every) > most:
        every *= 2
    return every


class EvenSample(Generic[Thing]):
    """Keeps at most `most` things of those numbered 0, 1, 2, ..., evenly spaced.

    Where they become too many, every second one goes, and half as many come in from then on.
    """

    def __init__(self, most: int, every: int = 1) -> None:
        """`every` is the distance between two things to begin with."""
        self.most = most
        self.every = every
        self.kept: list[tuple[int, Thing]] = []
        """The things and their numbers, in order."""

    def wants(self, number: int) -> bool:
        """Return whether the thing of this number would be kept; what is not wanted now never will be."""
        return number % self.every == 0

    def add(self, number: int, thing: Thing) -> None:
        """Take a wanted thing; all numbers that are wanted come in, in order."""
        self.kept.append((number, thing))
        if len(self.kept) > self.most:
            self.kept = self.kept[::2]
            self.every *= 2
