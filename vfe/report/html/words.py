"""Numbers in words that people read."""

from __future__ import annotations

from fractions import Fraction

MIB, GIB = 1024**2, 1024**3


def counted(count: int, noun: str) -> str:
    """Return such as `1 frame` and `12 000 frames`."""
    return f"{grouped(count)} {noun}{'' if count == 1 else 's'}"


def grouped(count: int) -> str:
    """Return a whole number with thin spaces between its thousands."""
    return f"{count:,}".replace(",", "\u2009")


def signed(value: float, decimals: int) -> str:
    """Return a number with its sign, and 0 without one."""
    text = f"{value:+.{decimals}f}".replace("-", "\u2212")
    return text if text.strip("+\u22120.") else text[1:]


def seconds_text(seconds: float) -> str:
    """Return such as `0.82 s`, `17.4 s`, `3:05 min` or `1:02:03 h`."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def bytes_text(count: int) -> str:
    """Return bytes as MiB or GiB."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.0f} MiB"


def moment(frame: int, rate: Fraction | None) -> str:
    """Return a frame and, at a rate, when it is shown."""
    if not rate:
        return f"frame {grouped(frame)}"
    minutes, seconds = divmod(float(frame / rate), 60)
    return f"frame {grouped(frame)}, at {int(minutes)}:{seconds:05.2f}"


def span(start: int, stop: int) -> str:
    """Return the frames `start` to `stop` - 1."""
    first, last = grouped(start), grouped(stop - 1)
    return f"frame {first}" if stop - start == 1 else f"frames {first}\u2013{last}"
