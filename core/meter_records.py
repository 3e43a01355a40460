"""The frozen records about a meter's registers, its load profile, its octets and its energy account.

As in `core.records`: times are epoch seconds UTC as float (`_s`), None means absent or unknown.
"""

from __future__ import annotations

from msgspec import Struct

from core.records import Measurement, MeterIdentity, Reading


class RegisterValue(Struct, frozen=True, kw_only=True):
    """One object of a meter's list, with what it holds: `reading` None where it could not be read, and `error` why.

    `class_id` and `attribute` are those of COSEM, None on other protocols; `about` says what the code means, for
    people, where that is known.
    """

    code: str
    reading: Reading | None = None
    class_id: int | None = None
    attribute: int | None = None
    about: str | None = None
    error: str | None = None


class RegisterList(Struct, frozen=True, kw_only=True):
    """Registers of a meter as they were read at `time_s`: published in parts as they come, `is_last` with the last.

    `expected` is how many objects the meter lists, where it does; `error` why the reading ended early.
    """

    name: str
    meter: MeterIdentity
    time_s: float
    registers: tuple[RegisterValue, ...]
    is_first: bool
    is_last: bool
    expected: int | None = None
    error: str | None = None
    is_simulated: bool = False


class ProfileColumn(Struct, frozen=True, kw_only=True):
    """One captured object of a load profile; `unit` as the standard writes it, the scaler already applied to values."""

    obis: str
    unit: str | None = None
    quantity: str | None = None
    class_id: int | None = None
    attribute: int | None = None


class ProfileRow(Struct, frozen=True, kw_only=True):
    """One entry of a load profile: `time` is the meter's own clock as it gives it, `time_s` the same in UTC.

    `values` stand in the order of the columns (the clock is no column); `status` are the meter's status bits.
    """

    time: str | None
    time_s: float | None
    values: tuple[float | int | str | None, ...]
    status: int | None = None


class ProfilePart(Struct, frozen=True, kw_only=True):
    """A part of the load profile of a meter, in order; `is_last` with the last one, `error` why it ended early.

    `period_s` is the capture period (0: none). `measurements` are the rows as the history keeps them: (end of the
    period, what its columns say in fixed units), where a row has a time and a column is known.
    """

    name: str
    meter: MeterIdentity
    obis: str
    period_s: float
    columns: tuple[ProfileColumn, ...]
    rows: tuple[ProfileRow, ...]
    measurements: tuple[tuple[float, Measurement], ...] = ()
    is_first: bool = True
    is_last: bool = True
    error: str | None = None
    is_simulated: bool = False


class LineOctets(Struct, frozen=True, kw_only=True):
    """Octets as they passed on a line, parity removed; `is_sent` by us; `line` such as `9600 8N1`."""

    name: str
    time_s: float
    is_sent: bool
    octets: bytes
    line: str | None = None


class EnergySpan(Struct, frozen=True, kw_only=True):
    """Energy and cost from `start_s` to before `end_s`; None where nothing is known.

    `is_whole` is False where a part of it is missing from the history or is yet to come. `cost_by_period` is by the
    name of the tariff's period, taxes included; `cost` is their sum with `standing_cost`, the share of the standing
    charge, less `export_credit`, what the exported energy earns.
    """

    start_s: float
    end_s: float
    import_wh: float | None = None
    export_wh: float | None = None
    cost: float | None = None
    cost_by_period: dict[str, float] = {}
    is_whole: bool = True
    standing_cost: float | None = None
    export_credit: float | None = None


class EnergyAccount(Struct, frozen=True, kw_only=True):
    """Energy and cost of a meter at `time_s`, in its site's local days and months.

    `today` and `month` end now, so that they are whole where nothing is missing so far. `yesterday` and `last_week` are
    whole days (that of the same weekday), `…_so_far` the same until this time of the day. Costs are in `currency`; None
    where the meter has no tariff.
    """

    meter: str
    time_s: float
    tariff: str | None
    currency: str | None
    today: EnergySpan
    yesterday: EnergySpan
    yesterday_so_far: EnergySpan
    last_week: EnergySpan
    last_week_so_far: EnergySpan
    month: EnergySpan
    last_month: EnergySpan
    forecast_wh: float | None = None
    forecast_cost: float | None = None
    budget: float | None = None
    period_now: str | None = None
    price_per_kwh_now: float | None = None


class EnergyBars(Struct, frozen=True, kw_only=True):
    """kWh per `unit` (hour, day, month), oldest first, and what stands beside each: the same one before.

    Beside hours stand those of yesterday and of the same weekday last week, beside days those of last week, beside
    months those of last year; the lists have the same length, None where nothing is known.
    """

    meter: str
    unit: str
    spans: tuple[EnergySpan, ...]
    before: tuple[EnergySpan | None, ...]
    long_before: tuple[EnergySpan | None, ...] = ()


class ExplainedField(Struct, frozen=True, kw_only=True):
    """One field of a frame, for a person who debugs: where it stands, its octets, its name and what it means.

    `offset` counts from the beginning of the octets that were explained; inside what was deciphered or put together
    from several frames it counts from there (`is_inner` marks the field that begins so). `error` says what is wrong
    at this place.
    """

    offset: int
    octets: bytes
    name: str
    value: str = ""
    error: str | None = None
    children: tuple[ExplainedField, ...] = ()
    is_inner: bool = False


MeterRecord = RegisterList | ProfilePart | LineOctets
"""What readers of meters publish beside MeterReadings and MeterReport."""
