"""A model is asked for a verdict, and once more where it gave none.

There is never a pass without a verdict: who cannot answer twice leaves the clip unscored, with the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

from ..verdict import Verdict
from .answer import LONGEST_ANSWER, UnusableAnswer, verdict_of
from .prompt import Prompt

ATTEMPTS = 2

Ask = Callable[[Sequence[str]], str]
"""Gets what was said so far, the question first, then answers and what was said to them in turn; returns the next
answer. Raises NoAnswer where none comes."""


class NoAnswer(Exception):
    """No answer came; the message says why, and another attempt may go better."""


def converse(question: str, ask: Ask) -> Verdict:
    """Return the verdict of a model, or the reason why there is none. What `ask` raises but NoAnswer is passed on."""
    said, answer, problem = [question], "", ""
    for _ in range(ATTEMPTS):
        try:
            answer = ask(said)
            return verdict_of(answer)
        except NoAnswer as error:
            problem = str(error)
        except UnusableAnswer as error:
            problem = str(error)
            said = [question, answer, f"That cannot be used: {error}. Answer again, with the JSON object only."]
    return Verdict(unscored=problem, raw=answer[:LONGEST_ANSWER])


def key_of(scorer: str, prompt: Prompt, settings: dict[str, object]) -> str:
    """Return the key of a scorer with its prompt and its settings, which have to be values of JSON."""
    return hash_of({"scorer": scorer, "system": prompt.system, "question": prompt.question, "settings": settings})


def hash_of(known: dict[str, object]) -> str:
    """Return the SHA-256 of values of JSON, whatever their order."""
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
