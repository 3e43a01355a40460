"""Sensors that send a line of text: `temperature:16.37`, `temp: 15`, `TEMP:28.5 °C`, `TEMPERATURE: 41.27: SENSOR1`.

Such sensors often send no newline either, so several measures may stand in one text with nothing between.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = r"[^\W\d][\w.]{0,63}?"
_NEXT = r"(?:temp|hum|press)[^\W\d]{0,60}+\s*+[:=]"
"""How the next measure begins where nothing stands between it and the identifier before."""
_UNIT = r"[°º]\s?[CFK]?|℃|℉|%|(?:[CFKVAW]|hPa|kPa|Pa|lx|lux|ppm|mV|mA|kWh|Wh|kW|Hz)\b"
_MEASURE = re.compile(
    rf"""\s*(?P<name>{_NAME})\s*[:=]\s*
    (?P<value>[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf(?:inity)?)\b)
    [ \t]*(?P<unit>(?:{_UNIT})?)
    (?:\s*:\s*(?P<sensor>[^\s:;,={{}}]{{1,128}}?)(?=\s*(?:$|[;,]|{_NEXT})|\s+{_NAME}\s*[:=]))?
    \s*[;,]?\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_HTTP = re.compile(r"[A-Z]{3,8} \S{1,2000} HTTP/\d(?:\.\d)?")


class TextMeasure(NamedTuple):
    """One measure as it was written; `sensor` and `unit` None where it names none."""

    name: str
    value: float
    unit: str | None
    sensor: str | None


def text_measures(text: str) -> list[TextMeasure]:
    """The measures that `text` consists of; none where it is anything else."""
    found = []
    at = 0
    while at < len(text):
        match = _MEASURE.match(text, at)
        if match is None:
            return []
        unit = match["unit"].replace("º", "°").replace(" ", "") or None
        found.append(
            TextMeasure(
                match["name"], float(match["value"].replace(",", ".")), "°C" if unit == "°" else unit, match["sensor"]
            )
        )
        at = match.end()
    return found


def is_http(text: str) -> bool:
    """True for the first line of a request to a web server."""
    return _HTTP.fullmatch(text) is not None
