"""Speed changes in projects of Kdenlive, which the adapter writes but does not read.

A clip of another speed is a producer `timewarp` there. Before the adapter reads a project, such producers are made to
look like files, with the speed in their names; afterwards that becomes a speed change of the clip.
"""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

_SPEED = re.compile(r"#vfe-speed=(-?[0-9.eE+-]{1,30})$")


def with_readable_speeds(text: str) -> str:
    """Return a project in which the adapter finds a file for each clip of another speed. Raises ParseError."""
    root = ElementTree.fromstring(text)
    for producer in (element for kind in ("producer", "chain") for element in root.iter(kind)):
        told = {element.get("name"): element for element in producer.findall("property")}
        values = {name: element.text or "" for name, element in told.items()}
        if values.get("mlt_service") == "timewarp" and values.get("warp_resource"):
            told["mlt_service"].text = "avformat-novalidate"
            told["resource"].text = f"{values['warp_resource']}#vfe-speed={values.get('warp_speed', '1')}"
            if "kdenlive:originalurl" in told:
                producer.remove(told["kdenlive:originalurl"])
    return ElementTree.tostring(root, encoding="unicode")


def give_speeds(timeline: otio.schema.Timeline) -> None:
    """Turn the speeds in the names of media into speed changes of their clips."""
    for clip in timeline.find_clips():
        media = clip.media_reference
        found = _SPEED.search(media.target_url) if isinstance(media, otio.schema.ExternalReference) else None
        if found is None:
            continue
        speed = float(found[1])
        if not math.isfinite(speed) or not speed:
            raise ValueError(f"a clip has a speed of {speed}")
        media.target_url = media.target_url[: found.start()]
        start, length = clip.source_range.start_time, clip.source_range.duration
        clip.source_range = TimeRange(RationalTime(start.value * speed, start.rate), length)
        media.available_range = None  # that of the changed clip is of no use
        clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=speed))
