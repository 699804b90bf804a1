"""The question that is put to a vision language model.

The prompt of VividFace (section 3.3, appendix B) is not published, nor in the authors' repository: prompt.txt is our
own, written to the dimensions and to the strictness that the paper tells of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template


@dataclass(frozen=True)
class Prompt:
    """What the model is told to be, and what it is asked, with $count and $seconds for the frames."""

    system: str
    question: str

    def of(self, count: int, seconds: float) -> str:
        """Return the question about `count` frames that are `seconds` apart."""
        return Template(self.question).substitute(count=count, seconds=f"{seconds:.2g}")


@cache
def load_prompt() -> Prompt:
    """Return the prompt of the package: the first line of prompt.txt is the system's, the rest is the question."""
    text = files(__package__).joinpath("prompt.txt").read_text(encoding="utf-8")
    system, _, question = text.partition("\n")
    return Prompt(system.strip(), question.strip())
