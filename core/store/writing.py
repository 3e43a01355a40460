"""Writes records as rows: one transaction a batch, prepared statements, tuples straight to the driver.

What comes twice is written once: two telegrams of one moment fill each other's gaps, and samples of a minute that is
already there are merged into it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from core.machine_records import MinuteProcesses
from core.meter_records import ProfilePart
from core.records import (
    CommandProgress,
    CommandRequest,
    Event,
    MachineReport,
    Measurement,
    MeterIdentity,
    MeterReadings,
    Quality,
    Reading,
)
from core.site_records import Alarm, ChatLine, CheckResult, Maintenance, Record
from core.store import alarms, chat, checks, profiles, schema, stale
from core.store.columns import METER_FIELDS, merge_statement
from core.store.kinds import METER
from core.store.machine_rows import MachineWriter
from core.store.minutes import MachineMinute, MachineSystem, book_of
from core.store.registers import RegisterWriter

QUALITIES = (Quality.GOOD, Quality.WARNING, Quality.ERROR)
"""In the order of the number that stands in the column."""

_QUALITY_NUMBER = {quality: number for number, quality in enumerate(QUALITIES)}
_MAPPED_QUANTITIES = {*METER_FIELDS, *(field.rpartition("_")[0] for field, unit in METER_FIELDS.items() if unit)}
_NOTHING_MEASURED = (None,) * len(METER_FIELDS)


_INSERT_MEASUREMENT = merge_statement(
    schema.measurements,
    ("meter_id", "time_s"),
    {
        "quality": "max(quality, excluded.quality)",
        "is_simulated": "max(is_simulated, excluded.is_simulated)",
        **{name: f"coalesce(excluded.{name}, {name})" for name in ("meter_time", "others", *METER_FIELDS)},
    },
)


_RESULT_FIELDS = ("state", "exit_status", "stdout", "stderr", "duration_s", "truncated_bytes", "message")
_INSERT_RESULT = (
    f"INSERT INTO {schema.command_results.name} (command_id, machine, {', '.join(_RESULT_FIELDS)})"  # noqa: S608 -- as above
    f" VALUES ({', '.join('?' * (2 + len(_RESULT_FIELDS)))}) ON CONFLICT (command_id, machine)"
    f" DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _RESULT_FIELDS)}"
)

Written = Record | MachineMinute | MachineSystem | ProfilePart


class Writer:
    """Writes batches on one connection; remembers the numbers of meters, machines and operators it has met."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._meters: dict[str, tuple[int, tuple[object, ...]]] = {}
        self._machines = MachineWriter(connection)
        self._operators: dict[str, int] = {}
        self._registers = RegisterWriter()

    def forget(self) -> None:
        """Look all numbers up again: a transaction was undone, or another process removed rows."""
        self._meters.clear()
        self._machines.forget()
        self._operators.clear()
        self._registers.forget()

    def write(self, records: Sequence[Written]) -> int:
        """Write what is kept of `records`, inside the caller's transaction; the number of rows."""
        kinds: dict[type, list[Any]] = {}
        for record in records:
            kinds.setdefault(type(record), []).append(record)
        readings: list[MeterReadings] = kinds.get(MeterReadings, [])
        requests: list[CommandRequest] = kinds.get(CommandRequest, [])
        results: list[CommandProgress] = kinds.get(CommandProgress, [])
        events: list[Event] = kinds.get(Event, [])
        book = book_of(kinds.get(MachineReport, ()))
        minutes = [*kinds.get(MachineMinute, ()), *book.take()]
        count = self._write_readings(readings)
        self._machines.write_minutes(minutes)
        self._machines.write_systems([*kinds.get(MachineSystem, ()), *book.take_systems()])
        count += self._machines.write_processes(kinds.get(MinuteProcesses, ()))
        for request in requests:
            self._write_command(request)
        for event in events:
            self._write_event(event)
        self._write_results(results)
        count += self._write_profiles(kinds.get(ProfilePart, ()))
        return count + len(minutes) + len(requests) + len(results) + len(events) + self._write_site(kinds)

    def _write_site(self, kinds: dict[type, list[Any]]) -> int:
        risen: list[Alarm] = kinds.get(Alarm, [])
        lines: list[ChatLine] = kinds.get(ChatLine, [])
        results: list[CheckResult] = kinds.get(CheckResult, [])
        works: list[Maintenance] = kinds.get(Maintenance, [])
        alarms.write_alarms(self._connection, risen, self.operator_id)
        chat.write_lines(self._connection, lines)
        checks.write_results(self._connection, results)
        for work in works:
            alarms.write_maintenance(self._connection, work, self.operator_id(work.operator))
        return len(risen) + len(lines) + len(results) + len(works)

    def _many(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            self._connection.exec_driver_sql(statement, rows)

    def _write_readings(self, records: Sequence[MeterReadings]) -> int:
        if not records:
            return 0
        cursor = self._connection.connection.cursor()
        try:
            rows = []
            times: dict[int, list[float]] = {}
            for record in records:
                measurement, time_s = record.measurement, record.time_s
                if time_s is None:
                    continue
                if measurement is None:
                    values: tuple[Any, ...] = _NOTHING_MEASURED
                    quality = max((_QUALITY_NUMBER[reading.quality] for reading in record.readings), default=0)
                else:
                    values = msgspec.structs.astuple(measurement)[:-1]  # quality is the last
                    quality = _QUALITY_NUMBER[measurement.quality]
                meter = self._meter_id(record.name, record.meter, record.protocol)
                others = meter_time = None
                if record.readings:
                    kept = unmapped(record.readings)
                    others = others_json(kept)
                    meter_time = next((reading.time for reading in record.readings if reading.time is not None), None)
                    if math.isfinite(time_s):
                        self._registers.write(cursor, meter, record.name, time_s, kept)
                rows.append((meter, time_s, quality, record.is_simulated, meter_time, others, *values))
                if math.isfinite(time_s):
                    times.setdefault(meter, []).append(time_s)
            for meter, came in times.items():
                profiles.give_way(cursor, meter, came)
            cursor.executemany(_INSERT_MEASUREMENT, rows)
            stale.note_times(cursor, METER, ((meter, time_s) for meter, came in times.items() for time_s in came))
            return len(rows)
        finally:
            cursor.close()

    def _write_profiles(self, parts: Sequence[ProfilePart]) -> int:
        if not parts:
            return 0
        cursor = self._connection.connection.cursor()
        try:
            return sum(
                profiles.write_part(cursor, self._meter_id(part.name, part.meter, None), part, _QUALITY_NUMBER)
                for part in parts
                if part.measurements
            )
        finally:
            cursor.close()

    def _meter_id(self, name: str, who: MeterIdentity, protocol: str | None) -> int:
        """Number of a meter, added where there is none of that name; `protocol` None leaves what is known."""
        known = (who.manufacturer, who.model, who.serial_number, protocol)
        held = self._meters.get(name)
        if held is not None and (held[1] == known or protocol is None):
            return held[0]
        table = schema.meters
        statement = insert(table).values(
            name=name,
            manufacturer=who.manufacturer,
            model=who.model,
            serial_number=who.serial_number,
            protocol=protocol or "",
        )
        new = statement.excluded
        changes: dict[str, Any] = {
            "manufacturer": func.coalesce(new.manufacturer, table.c.manufacturer),
            "model": func.coalesce(new.model, table.c.model),
            "serial_number": func.coalesce(new.serial_number, table.c.serial_number),
        }
        if protocol is not None:
            changes["protocol"] = new.protocol
        self._connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changes))
        number: int = self._connection.execute(select(table.c.id).where(table.c.name == name)).scalar_one()
        self._meters[name] = (number, known)
        return number

    def operator_id(self, name: str) -> int:
        """Number of an operator, added where there is none of that name; inside the caller's transaction."""
        number = self._operators.get(name)
        if number is None:
            self._connection.execute(insert(schema.operators).values(name=name).on_conflict_do_nothing())
            number = self._connection.execute(
                select(schema.operators.c.id).where(schema.operators.c.name == name)
            ).scalar_one()
            self._operators[name] = number
        return number

    def _write_command(self, request: CommandRequest) -> None:
        statement = insert(schema.commands).values(
            id=request.id,
            time_s=request.time_s,
            operator_id=self.operator_id(request.operator),
            line=request.line,
            words=json.dumps(request.words),
            machines=json.dumps(request.machines),
            timeout_s=request.timeout_s,
            is_ended=False,
        )
        told = {name: statement.excluded[name] for name in ("operator_id", "line", "words", "machines", "timeout_s")}
        self._connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=told))

    def _write_results(self, progresses: Sequence[CommandProgress]) -> None:
        commands = schema.commands
        for number in dict.fromkeys(progress.id for progress in progresses):
            self._ensure_command(number)
        self._many(
            _INSERT_RESULT,
            [
                (
                    progress.id,
                    progress.result.machine,
                    progress.result.state.value,
                    progress.result.exit_status,
                    progress.result.stdout,
                    progress.result.stderr,
                    progress.result.duration_s,
                    progress.result.truncated_bytes,
                    progress.result.message,
                )
                for progress in progresses
            ],
        )
        for progress in progresses:
            if progress.is_last:
                self._connection.execute(commands.update().where(commands.c.id == progress.id).values(is_ended=True))

    def _ensure_command(self, number: str) -> None:
        """A row for the answers of a command whose request was lost on its way: they are still kept."""
        commands = schema.commands
        if self._connection.execute(select(commands.c.id).where(commands.c.id == number)).first() is None:
            self._connection.execute(
                insert(commands).values(
                    id=number,
                    time_s=func.strftime("%s", "now"),
                    operator_id=self.operator_id(""),
                    line="",
                    words="[]",
                    machines="[]",
                    timeout_s=0.0,
                    is_ended=False,
                )
            )

    def _write_event(self, event: Event) -> None:
        self._connection.execute(
            insert(schema.events).values(
                time_s=event.time_s,
                source=event.source,
                kind=event.kind,
                severity=event.severity.value,
                text=event.text,
                operator_id=None if event.operator is None else self.operator_id(event.operator),
            )
        )


def unmapped(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """The readings that have no column of their own."""
    return tuple(
        reading
        for reading in readings
        if reading.quantity not in _MAPPED_QUANTITIES
        or isinstance(reading.value, str)
        or (isinstance(reading.value, float) and not math.isfinite(reading.value))
    )


def others_json(readings: Sequence[Reading]) -> str | None:
    """What `unmapped` finds, as a JSON list without what is absent; None where there is nothing."""
    if not readings:
        return None
    found = [
        {
            key: value
            for key, value in (
                ("obis", reading.obis),
                ("quantity", reading.quantity),
                ("value", reading.value),
                ("unit", reading.unit),
                ("label", reading.label),
                ("quality", None if reading.quality is Quality.GOOD else reading.quality.value),
            )
            if value is not None
        }
        for reading in unmapped(readings)
    ]
    return msgspec.json.encode(found).decode() if found else None


def measurement_of_row(values: Sequence[Any], quality: int) -> Measurement:
    """The record again, from columns in the order of METER_FIELDS."""
    return Measurement(**dict(zip(METER_FIELDS, values, strict=True)), quality=QUALITIES[quality])
