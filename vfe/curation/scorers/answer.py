"""The verdict in the answer of a model: a JSON object, alone or somewhere in prose.

The program adds up, never the model: a total in the answer is not looked at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from ...tensor_io.source import printable
from ..verdict import MOST_BONUS, MOST_PENALTY, WEIGHTS, Verdict

LONGEST_ANSWER = 20_000
"""Characters of an answer that are looked at; the object that is asked for has 200."""
LONGEST_WHY = 500


class UnusableAnswer(ValueError):
    """An answer from which no verdict can be read. Its message is told to the model, so that it can do better."""


def verdict_of(answer: str) -> Verdict:
    """Return the verdict in an answer.

    It is read from the first JSON object that has all that is asked for. Numbers beyond their range are cut to it; a
    negative penalty is what it would take off. Raises UnusableAnswer where an object, a number or a key is missing.
    """
    most = dict.fromkeys(WEIGHTS, 100.0) | {"bonus": MOST_BONUS, "penalty": MOST_PENALTY}
    near = [entry for entry in _objects(answer[:LONGEST_ANSWER]) if WEIGHTS.keys() & entry.keys()]
    if not near:
        raise UnusableAnswer("there is no complete JSON object with the dimensions in the answer")
    found = min(near, key=lambda entry: len(most.keys() - entry.keys()))
    missing = [name for name in most if name not in found]
    if missing:
        raise UnusableAnswer(f"the JSON object lacks {', '.join(missing)}")
    numbers = {name: _number(name, found[name]) for name in most}
    numbers["penalty"] = abs(numbers["penalty"])
    cut = {name: min(max(number, 0.0), most[name]) for name, number in numbers.items()}
    why = printable(" ".join(str(found.get("why", "")).split()), LONGEST_WHY)
    return Verdict.of(cut, why=why, raw=answer[:LONGEST_ANSWER])


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a text, also those inside of others, by where they begin."""
    decoder, start = json.JSONDecoder(), text.find("{")
    while start >= 0:
        try:
            found, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            yield found
        start = text.find("{", start + 1)


def _number(name: str, value: object) -> float:
    """A finite number, written as one or as a text."""
    try:
        number = math.nan if isinstance(value, bool) else float(str(value))
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UnusableAnswer(f"{name} is {str(value)[:40]!r}, needed is a number")
    return number
