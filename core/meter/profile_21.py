"""Load profiles in the text of IEC 62056-21 programming mode (R5, R6): asked for, and turned into rows.

    P.01(ZSTs13)(status)(period in minutes)(count)(code)(unit)…    a header; Z is the season: 0 winter, 1 summer, 2 UTC
    (value)(value)…                                                a row for each period, until the next header

The time of a header is the end of the first period below it (VDEW Lastenheft 2.1.2, clause on the load profile; LEM
EM4T manual, 4.2.6, which leaves the season out). A meter names no zone: its winter and summer time are taken as those
of this machine's zone. A value that is no number, such as `-` for a power failure, is a text.
"""

from __future__ import annotations

import re
import time
from calendar import timegm
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from core.errors import RemoteProtocolError
from core.language import _
from core.meter.e450 import quantity_of
from core.meter.profile import ProfileMeasurements, period_quantity
from core.meter_records import ProfileColumn, ProfileRow
from core.obis import ObisCode
from core.protocol.data_sets import DataSet
from core.records import Measurement

COLUMNS_LIMIT = 64
CLOCK_MARGIN_S = 3_600.0
"""What is asked for reaches this much further on both sides: nobody knows the meter's season."""

_TIME = re.compile(r"([012]?)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?$")
_STATUS = re.compile(r"[0-9A-Fa-f]{1,16}$")
_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})$")


def request_of(code: str, start_s: float, end_s: float) -> str:
    """The data set that asks for rows from `start_s` to `end_s`, a margin added: `P.01(Zyymmddhhmm;Zyymmddhhmm)`."""
    return f"{code}({_stamp(start_s - CLOCK_MARGIN_S)};{_stamp(end_s + CLOCK_MARGIN_S)})"


def moment_of(text: str) -> tuple[str, float] | None:
    """A time stamp of 10 to 13 digits as the meter's own time in ISO 8601, and in seconds UTC; None for no time."""
    match = _TIME.match(text)
    if match is None:
        return None
    year, month, day, hour, minute = (int(match[number]) for number in range(2, 7))
    second = int(match[7] or 0)
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour <= 24 and minute < 60 and second < 60):
        return None
    fields = (2000 + year, month, day, hour, minute, second, 0, 0)
    written = f"20{year:02}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    try:
        if match[1] == "2":
            return written + "Z", float(timegm(fields))
        season = {"": -1, "0": 0, "1": 1}[match[1]]
        return written, time.mktime((*fields, season))
    except (OverflowError, ValueError):
        return None


class ProfileText:
    """Rows of a profile, from its data sets as they come; those from `start_s` to before `end_s`, each once.

    A row stands for the period that ends at its time, and belongs to the range when that end lies in it.
    """

    def __init__(self, start_s: float, end_s: float) -> None:
        self._start_s, self._end_s = start_s, end_s
        self._header: list[str] | None = None
        self._values: list[str] = []
        self._at_s: float | None = None
        self._written: str | None = None
        self._status: int | None = None
        self._last_s = float("-inf")
        self._rows: deque[ProfileRow] = deque()
        self._measured: ProfileMeasurements | None = None
        self._measured_kind: tuple[tuple[ProfileColumn, ...], float] | None = None
        self.columns: tuple[ProfileColumn, ...] = ()
        self.period_s = 0.0

    @property
    def waiting(self) -> int:
        """Rows that have not been taken."""
        return len(self._rows)

    def feed(self, data_sets: Iterable[DataSet]) -> None:
        """Take values in, in their order; raises RemoteProtocolError for a header that is none."""
        for data_set in data_sets:
            if data_set.address and data_set.position == 0:
                self._header, self._values = [], []
            if self._header is not None:
                self._header.append(data_set.value.strip())
                if len(self._header) == 4 or self._is_header_whole():
                    self._check_header()
                continue
            if not self.columns:
                continue
            self._values.append(data_set.value.strip())
            if len(self._values) == len(self.columns):
                self._take_row()

    def take(self, limit: int) -> tuple[ProfileRow, ...]:
        """The first rows, at most `limit`."""
        return tuple(self._rows.popleft() for _number in range(min(limit, len(self._rows))))

    def measurements(self, rows: Iterable[ProfileRow]) -> tuple[tuple[float, Measurement], ...]:
        """The rows as a history keeps them."""
        kind = (self.columns, self.period_s)
        if self._measured is None or self._measured_kind != kind:
            self._measured, self._measured_kind = ProfileMeasurements(*kind), kind
        return self._measured.of_rows(rows)

    def _is_header_whole(self) -> bool:
        header = self._header or []
        return len(header) > 4 and len(header) == 4 + 2 * int(header[3])

    def _check_header(self) -> None:
        """Look at the four fields before the columns, and at the columns once they are there."""
        header = self._header
        assert header is not None  # only called while one is read
        count = int(header[3]) if header[3].isdecimal() and len(header[3]) < 4 else 0
        moment = moment_of(header[0])
        period = int(header[2]) if header[2].isdecimal() and len(header[2]) < 6 else 0
        if not 1 <= count <= COLUMNS_LIMIT or moment is None:
            self._header, self.columns = None, ()
            raise RemoteProtocolError(_("“{text}” begins no load profile").format(text=")(".join(header[:4])[:60]))
        if len(header) < 4 + 2 * count:
            return
        self.period_s = 60.0 * period
        self._written, self._at_s = moment
        self._status = int(header[1], 16) if _STATUS.match(header[1]) else None
        self.columns = tuple(
            ProfileColumn(obis=code, unit=unit or None, quantity=_quantity_of(code))
            for code, unit in zip(header[4::2], header[5::2], strict=True)
        )
        self._header = None

    def _take_row(self) -> None:
        values, self._values = self._values, []
        at_s, written = self._at_s, self._written
        if at_s is None:
            return
        self._at_s = at_s + self.period_s
        self._written = _later(written, self.period_s)
        if not self.period_s:
            self._at_s = None
        if not self._start_s <= at_s < self._end_s or at_s <= self._last_s:
            return
        self._last_s = at_s
        self._rows.append(
            ProfileRow(
                time=written,
                time_s=at_s,
                values=tuple(_value_of(text) for text in values),
                status=self._status,
            )
        )


def _stamp(time_s: float) -> str:
    moment = time.localtime(max(0.0, time_s))
    return f"{max(0, moment.tm_isdst)}{time.strftime('%y%m%d%H%M', moment)}"


def _later(written: str | None, seconds: float) -> str | None:
    """The meter's own time so much later; a change of the season begins a new header."""
    if written is None:
        return None
    try:
        return (datetime.fromisoformat(written.rstrip("Z")) + timedelta(seconds=seconds)).isoformat() + (
            "Z" if written.endswith("Z") else ""
        )
    except (ValueError, OverflowError):
        return None


def _value_of(text: str) -> float | int | str | None:
    if not text:
        return None
    if _NUMBER.match(text):
        return float(text) if "." in text else int(text)
    return text


def _quantity_of(code: str) -> str | None:
    try:
        parsed = ObisCode.parse(code if code.count(".") > 1 else f"{code}.0")
    except RemoteProtocolError:
        return None
    return period_quantity(parsed) or quantity_of(parsed)
