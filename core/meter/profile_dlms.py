"""The load profile of a DLMS meter: its capture objects as columns, its buffer as rows with times in UTC.

Null-data in the place of a clock is the time before plus the capture period, in the place of a value the value before
(Blue Book, clause 4.3.6: that is how buffers are compressed). A clock without deviation (0x8000) is taken as local
time of this machine's zone, since nothing says which one the meter keeps.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from core.errors import RemoteProtocolError
from core.language import _
from core.meter.clock import clock_of
from core.meter.e450 import quantity_of, unit_text
from core.meter.profile import MEANS, period_quantity
from core.meter.readings_dlms import CLOCK, SCALER_ATTRIBUTES, ScalerUnit, scaled_number, shown_value
from core.meter_records import ProfileColumn, ProfileRow
from core.obis import ObisCode
from core.protocol.axdr import Value
from core.protocol.get_messages import Attribute

DEFAULT_PROFILE = bytes((1, 0, 99, 1, 0, 255))
COLUMNS_LIMIT = 128
CLOCK_MARGIN_S = 7_200.0
"""Asked for beyond both ends where the meter's offset from UTC may not be that of the whole range."""


class CaptureObject(Struct, frozen=True):
    """One column of a profile's buffer."""

    class_id: int
    logical_name: bytes
    attribute: int
    data_index: int = 0

    @property
    def is_clock(self) -> bool:
        """True for the column that says when."""
        return self.class_id == CLOCK and self.attribute == 2

    @property
    def is_status(self) -> bool:
        """True for the meter's status bits (0-b:96.10.x)."""
        a, _b, c, d, _e, _f = self.logical_name
        return (a, c, d) == (0, 96, 10)

    @property
    def scaler(self) -> Attribute | None:
        """The attribute that holds scaler and unit of this column's value, where it has one."""
        number = SCALER_ATTRIBUTES.get(self.class_id)
        if number is None or self.attribute not in (2, 3) or (self.attribute == 3 and self.class_id != 5):
            return None
        return Attribute(self.class_id, self.logical_name, number)


def capture_objects_of(value: Value) -> tuple[CaptureObject, ...]:
    """The columns that attribute 3 of a profile names; raises RemoteProtocolError for what names none."""
    found = []
    for element in value[:COLUMNS_LIMIT] if isinstance(value, list) else ():
        if not isinstance(element, tuple) or len(element) < 3:
            break
        class_id, name, attribute = element[:3]
        index = element[3] if len(element) > 3 else 0
        if not (isinstance(class_id, int) and isinstance(name, bytes) and len(name) == 6):
            break
        if not isinstance(attribute, int) or not isinstance(index, int):
            break
        found.append(CaptureObject(class_id, name, attribute, index))
    if not found or not isinstance(value, list) or len(found) != len(value):
        raise RemoteProtocolError(_("the columns of the load profile cannot be read"))
    return tuple(found)


def clock_octets(time_s: float, deviation_min: int | None) -> bytes:
    """The date-time of COSEM for epoch seconds on a clock of that deviation (None: the machine's zone, unsaid)."""
    if deviation_min is None:
        local = time.localtime(time_s)
        moment = datetime(*local[:6], tzinfo=UTC)
        status = 0x80 if local.tm_isdst > 0 else 0x00
        deviation = 0x8000
    else:
        moment = datetime.fromtimestamp(time_s, UTC) - timedelta(minutes=deviation_min)
        status = 0x00
        deviation = deviation_min & 0xFFFF
    fields = (moment.month, moment.day, moment.isoweekday(), moment.hour, moment.minute, moment.second, 0)
    return moment.year.to_bytes(2, "big") + bytes(fields) + deviation.to_bytes(2, "big") + bytes((status,))


def deviation_of(clock: Value) -> int | None:
    """Minutes from the meter's local time to UTC; None where it does not say."""
    if not isinstance(clock, bytes):
        return None
    moment = clock_of(clock)
    offset = None if moment is None else moment.utcoffset()
    return None if offset is None else -int(offset.total_seconds() // 60)


class ProfileRows:
    """Rows from the elements of a buffer, in order; those outside of start_s to end_s (both included) are left out."""

    def __init__(
        self,
        objects: Sequence[CaptureObject],
        scalers: Mapping[Attribute, ScalerUnit],
        period_s: float,
        start_s: float,
        end_s: float,
    ) -> None:
        self._objects = objects
        self._scalers = [None if one.scaler is None else scalers.get(one.scaler) for one in objects]
        self._period_s = period_s
        self._start_s, self._end_s = start_s, end_s
        self._before: tuple[Value, ...] = (None,) * len(objects)
        self._moment: datetime | None = None
        self._at_s: float | None = None
        self._clock_at = next((place for place, one in enumerate(objects) if one.is_clock), None)
        self._status_at = next((place for place, one in enumerate(objects) if one.is_status), None)
        self._value_places = [place for place in range(len(objects)) if place not in (self._clock_at, self._status_at)]
        self.columns = tuple(self._column(place) for place in self._value_places)
        self.last_s: float | None = None

    def of_elements(self, elements: Iterable[Value]) -> list[ProfileRow]:
        """The rows that `elements` are; raises RemoteProtocolError for one that is none."""
        rows = []
        for element in elements:
            row = self._row(element)
            self.last_s = row.time_s
            if row.time_s is None or self._start_s <= row.time_s <= self._end_s:
                rows.append(row)
        return rows

    def _row(self, element: Value) -> ProfileRow:
        if not isinstance(element, (tuple, list)):
            element = (element,)
        if len(element) != len(self._objects):
            raise RemoteProtocolError(
                _("a row has {count} values for {columns} columns").format(
                    count=len(element), columns=len(self._objects)
                )
            )
        self._take_clock(None if self._clock_at is None else element[self._clock_at])
        merged = tuple(before if value is None else value for value, before in zip(element, self._before, strict=True))
        self._before = merged
        moment = self._moment
        return ProfileRow(
            time=None if moment is None else moment.isoformat(),
            time_s=self._at_s,
            values=tuple(self._value(place, merged[place]) for place in self._value_places),
            status=None if self._status_at is None else _status_of(merged[self._status_at]),
        )

    def _take_clock(self, value: Value) -> None:
        if value is not None:
            self._moment = moment = _moment_of(value)
            self._at_s = None if moment is None else _seconds_of(moment)
        elif self._at_s is not None and self._moment is not None and self._period_s:
            self._at_s += self._period_s
            self._moment = datetime.fromtimestamp(self._at_s, self._moment.tzinfo)
        else:
            self._moment = self._at_s = None

    def _value(self, place: int, value: Value) -> float | int | str | None:
        if isinstance(value, (int, float)):
            return scaled_number(value if isinstance(value, float) else int(value), self._scalers[place])
        return shown_value(value)

    def _column(self, place: int) -> ProfileColumn:
        one, scaler = self._objects[place], self._scalers[place]
        code = ObisCode.from_octets(one.logical_name)
        quantity = None
        if one.scaler is not None:
            quantity = quantity_of(code) or (period_quantity(code) if code.d in MEANS else None)
        return ProfileColumn(
            obis=str(code),
            unit=None if scaler is None else unit_text(scaler.unit),
            quantity=quantity,
            class_id=one.class_id,
            attribute=one.attribute,
        )


def _moment_of(value: Value) -> datetime | None:
    """A clock; the hour that comes twice in autumn is told by the meter's status, where its zone is not."""
    moment = clock_of(value) if isinstance(value, bytes) else None
    if moment is None or moment.tzinfo is not None or not isinstance(value, bytes):
        return moment
    is_summer = value[11] == 0xFF or value[11] & 0x80
    return moment if is_summer else moment.replace(fold=1)


def _seconds_of(moment: datetime) -> float | None:
    try:
        return moment.timestamp()
    except (OverflowError, ValueError, OSError):
        return None


def _status_of(value: Value) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and value and set(value) <= {"0", "1"} and len(value) <= 64:
        return int(value, 2)
    return int.from_bytes(value, "big") if isinstance(value, bytes) and len(value) <= 8 else None
