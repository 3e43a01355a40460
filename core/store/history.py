"""The history: what is kept of machines, meters, sensors, checks, alarms, commands and the room, in one database.

A History belongs to the thread that opened it. Every method is one transaction; what `write` has returned from is on
the disk. Errors are StoreError and its family, in the user's words.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from core.errors import StoreError
from core.machine_records import MinuteProcesses
from core.records import (
    CommandResult,
    CommandRunSummary,
    Event,
    HistoryMark,
    Level,
    Machine,
    Measurement,
    Mover,
    SeriesInfo,
    SeriesPoints,
)
from core.store import (
    answers,
    catalogue,
    energy,
    folding,
    happenings,
    movers,
    processes,
    profiles,
    reading,
    rollups,
    totals,
)
from core.store.columns import METER_FIELDS, metadata
from core.store.connection import check_can_write, is_in_place, open_connection, path_of, refusal_of, told
from core.store.connection import reading as one_moment
from core.store.connection import writing as one_batch
from core.store.energy import Counted
from core.store.kinds import KINDS, MACHINE, METER, split_name
from core.store.machine_rows import machine_row, merged_os
from core.store.reading import Sample
from core.store.rollups import Retention
from core.store.schema import machines, measurements
from core.store.site_history import SiteHistory
from core.store.writing import Writer, Written, measurement_of_row


class History(SiteHistory):
    """An open history; `History.open` makes one."""

    def __init__(self, connection: Connection) -> None:
        self._writer = Writer(connection)
        super().__init__(connection, self._writer.operator_id)

    @classmethod
    def open(cls, location: Path | str, *, create: bool = True, busy_timeout_s: float = 5.0) -> History:
        """Open the file (or URL) `location`, made where it is missing and `create`, and bring it to the present form.

        Waits up to `busy_timeout_s` for another program that writes. A disk that is full or read-only leaves it
        readable: see `refusal`. Raises StoreError and its family, ConfigError for a URL that is none of ours.
        """
        return cls(open_connection(location, create=create, busy_timeout_s=busy_timeout_s))

    @property
    def path(self) -> Path:
        """The file of the database."""
        return path_of(self._connection)

    @property
    def refusal(self) -> StoreError | None:
        """Why this history can only be read, and every writing raises; opened again it may be writable."""
        return refusal_of(self._connection)

    @property
    def is_in_place(self) -> bool:
        """False once the file was removed, moved or replaced; who goes on writing must open it anew."""
        return is_in_place(self._connection)

    def check_can_write(self) -> None:
        """Raise what a writing would raise, for who must know before something that cannot be undone."""
        check_can_write(self._connection)

    def close(self) -> None:
        """Close the database; its log is folded into the file."""
        with told(self.path):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait_for_others(self, timeout_s: float) -> None:
        """From now on wait so long at most for another program that writes."""
        with told(self.path):
            cursor = self._connection.connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout = {round(timeout_s * 1000)}")
            cursor.close()

    def data_version(self) -> int:
        """A number that changes when another connection, of this or another process, has written."""
        with told(self.path):
            cursor = self._connection.connection.cursor()
            try:
                return int(cursor.execute("PRAGMA data_version").fetchone()[0])
            finally:
                cursor.close()

    def write(self, records: Sequence[Written]) -> int:
        """Write what is kept of `records` in one transaction; the number of rows. After an error nothing is."""
        try:
            with one_batch(self._connection):
                return self._writer.write(records)
        except BaseException:
            self._writer.forget()
            raise

    def machines(self) -> list[Machine]:
        """The configured machines, by name."""
        statement = select(machines).where(machines.c.is_configured).order_by(machines.c.name)
        with one_moment(self._connection):
            return [
                Machine(
                    name=row.name,
                    host=row.host,
                    port=row.port,
                    groups=tuple(json.loads(row.groups)),
                    notes=row.notes,
                    fingerprint=row.fingerprint,
                    certificate_pem=row.certificate_pem,
                    level=Level(row.level) if row.level else None,
                    is_local=row.is_local,
                    reference=row.reference,
                    price_before_tax=row.price_before_tax,
                    vat_rate_percent=row.vat_rate_percent,
                    tags=tuple(json.loads(row.tags)),
                    os=row.os,
                )
                for row in self._connection.execute(statement)
            ]

    def save_machine(self, machine: Machine) -> None:
        """Add a machine, or change the one of that name.

        What the agent of that certificate has told of its `os` stays: nobody has to bring it along.
        """
        self.save_machines([machine])

    def save_machines(self, changed: Sequence[Machine]) -> None:
        """The same for many: all of them or, after an error, none."""
        rows = [machine_row(machine) for machine in changed]
        if rows:
            statement = insert(machines)
            told = {name: statement.excluded[name] for name in rows[0] if name != "name"}
            changes = {**told, "os": merged_os(told)}
            with one_batch(self._connection):
                self._connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changes), rows)

    def remove_machine(self, name: str) -> bool:
        """Forget a machine's address and keys, and keep its history; False where there is none of that name."""
        row = machine_row(Machine(name=name, host=""), is_configured=False)
        statement = machines.update().where(machines.c.name == name, machines.c.is_configured).values(row)
        with one_batch(self._connection):
            return self._connection.execute(statement).rowcount > 0

    def meters(self) -> list[str]:
        """Names of all meters that ever were read, sorted."""
        with one_moment(self._connection):
            return list(reading.owners(self._connection, METER).values())

    def series(self) -> list[SeriesInfo]:
        """All series that have a value: first and last time, and how many values stand behind it."""
        with one_moment(self._connection):
            return catalogue.series(self._connection)

    def points(self, name: str, start_s: float, end_s: float, *, max_points: int = 2000) -> SeriesPoints:
        """Points of one series, such as `meter/main/voltage_l1_v`, from `start_s` to before `end_s`.

        At most `max_points`, and a NaN in each gap. Raises StoreError for a name that is no series.
        """
        kind, owner, field = split_name(name)
        with one_moment(self._connection):
            return reading.points(self._connection, kind, owner, [field], start_s, end_s, max_points)[0]

    def points_of(
        self, names: Sequence[str], start_s: float, end_s: float, max_points: int = 2000
    ) -> list[SeriesPoints]:
        """The same for several series of any source, in the order of `names`; those of one owner in one pass."""
        split = [split_name(name) for name in names]
        fields: dict[tuple[str, str], dict[str, SeriesPoints | None]] = {}
        for kind, owner, field in split:
            fields.setdefault((kind.word, owner), {})[field] = None
        with one_moment(self._connection):
            for (word, owner), found in fields.items():
                wanted = list(found)
                series = reading.points(self._connection, KINDS[word], owner, wanted, start_s, end_s, max_points)
                found.update(zip(wanted, series, strict=True))
        points = [fields[kind.word, owner][field] for kind, owner, field in split]
        return [one for one in points if one is not None]

    def total_points(
        self, meters: Sequence[str], fields: Sequence[str], start_s: float, end_s: float, max_points: int = 2000
    ) -> list[SeriesPoints]:
        """The sum over `meters` of each field on one grid of times, NaN where one of them says nothing.

        A cell is at least as long as the period of the slowest meter. The mean is the sum of the means; minimum and
        maximum are the sums of the least and of the greatest values: the total was never outside of them. The names
        are `total/FIELD`.
        """
        with one_moment(self._connection):
            return totals.total_points(self._connection, meters, fields, start_s, end_s, max_points)

    def meter_points(
        self, meter: str, fields: Sequence[str], start_s: float, end_s: float, max_points: int = 2000
    ) -> list[SeriesPoints]:
        """Points of several fields of one meter in one pass, in the order of `fields`."""
        with one_moment(self._connection):
            return reading.points(self._connection, METER, meter, fields, start_s, end_s, max_points)

    def machine_points(
        self, machine: str, fields: Sequence[str], start_s: float, end_s: float, max_points: int = 2000
    ) -> list[SeriesPoints]:
        """The same for a machine; fields are those of `core.store.columns.MACHINE_FIELDS`."""
        with one_moment(self._connection):
            return reading.points(self._connection, MACHINE, machine, fields, start_s, end_s, max_points)

    def processes_at(self, machine: str, start_s: float, end_s: float) -> list[MinuteProcesses]:
        """The processes that used most at any moment from `start_s` to before `end_s`, oldest first.

        A list stands from its minute until the next one, half an hour at most: the first may be older than `start_s`.
        The highest shares of its minute are in it; what is on no list used little.
        """
        with one_moment(self._connection):
            number = reading.owner_id(self._connection, MACHINE, machine)
            cursor = self._connection.connection.cursor()
            try:
                return [] if number is None else processes.read(cursor, number, machine, start_s, end_s)
            finally:
                cursor.close()

    def samples(self, name: str, start_s: float, end_s: float, step_s: float | None = None) -> Iterator[Sample]:
        """Rows of one series, streamed, oldest first; several may be read at a time.

        With `step_s`, one for each step that has any, at the beginning of the step. Raises StoreError for no series.
        """
        kind, owner, field = split_name(name)
        with one_moment(self._connection):
            statements = reading.sample_statements(self._connection, kind, owner, field, start_s, end_s, step_s)
        return reading.samples_of(self._streamed(statements))

    def unit_of(self, name: str) -> str | None:
        """Unit of one series, None where it has none. Raises StoreError for a name that is no series."""
        kind, owner, field = split_name(name)
        with one_moment(self._connection):
            return reading.unit_of(self._connection, kind, owner, field)

    def _streamed(self, statements: Sequence[tuple[str, tuple[float, ...]]]) -> Iterator[Any]:
        with told(self.path):
            for statement, parameters in statements:
                cursor = self._connection.connection.cursor()
                try:
                    cursor.execute(statement, parameters)
                    while rows := cursor.fetchmany(1000):
                        yield from rows
                finally:
                    cursor.close()

    def filled_spans(self, meter: str, start_s: float, end_s: float) -> list[tuple[float, float]]:
        """What of a range was fetched from the load profile of `meter`, oldest first."""
        with one_moment(self._connection):
            number = reading.owner_id(self._connection, METER, meter)
            cursor = self._connection.connection.cursor()
            try:
                return [] if number is None else profiles.filled_spans(cursor, number, start_s, end_s)
            finally:
                cursor.close()

    def is_simulated(self, meter: str, start_s: float, end_s: float) -> bool:
        """True where a row of that meter in the range was made by a simulator."""
        with one_moment(self._connection):
            return reading.is_simulated(self._connection, meter, start_s, end_s)

    def last_measurement(self, meter: str, before_s: float = math.inf) -> tuple[float, Measurement] | None:
        """Time and values of the last row of a meter before a time; None where there is none."""
        with one_moment(self._connection):
            number = reading.owner_id(self._connection, METER, meter)
            row = self._connection.execute(
                select(measurements)
                .where(measurements.c.meter_id == number, measurements.c.time_s < before_s)
                .order_by(measurements.c.time_s.desc())
                .limit(1)
            ).first()
        if row is None:
            return None
        return row.time_s, measurement_of_row([row._mapping[field] for field in METER_FIELDS], row.quality)

    def energy_since(self, meter: str, start_s: float) -> float | None:
        """Wh that the import register of `meter` counted since `start_s`; None where it said nothing since.

        Begins with the first value where it is not known what the register stood at then.
        """
        return self.energy_spans(meter, [start_s, math.inf])[0].wh

    def energy(
        self, meter: str, edges_s: Sequence[float], field: str = "active_energy_import_wh"
    ) -> list[float | None]:
        """Wh (or varh) that a counter of `meter` counted between each edge and the next one; None where unknown.

        Edges go up. See `core.store.energy` for what is known at an edge. Raises StoreError where `field` is none.
        """
        return [span.wh if span.is_whole else None for span in self.energy_spans(meter, edges_s, field)]

    def energy_spans(
        self, meter: str, edges_s: Sequence[float], field: str = "active_energy_import_wh"
    ) -> list[Counted]:
        """The same, and the part that is known of a span whose ends are not both known (`is_whole` False)."""
        with one_moment(self._connection):
            return energy.counted(self._connection, meter, edges_s, field)

    def moved(self, at_s: float, before_s: float = 300.0, after_s: float = 60.0, limit: int = 20) -> list[Mover]:
        """The series of machines that changed most around `at_s`, most first."""
        with one_moment(self._connection):
            return movers.moved(self._connection, at_s, before_s, after_s, limit)

    def marks(self, start_s: float, end_s: float, limit: int = 500) -> list[HistoryMark]:
        """Alarms, commands, lines of the room and events of a span, oldest first; the newest `limit` of them."""
        with one_moment(self._connection):
            return happenings.marks(self._connection, start_s, end_s, limit)

    def command_runs(self, limit: int = 200, search: str = "") -> list[CommandRunSummary]:
        """The last commands whose line, machines or operator hold each word of `search`, newest first."""
        with one_moment(self._connection):
            return answers.command_runs(self._connection, limit, search, time.time())

    def command_results(self, run_id: str) -> list[CommandResult]:
        """The results of one command, by machine."""
        with one_moment(self._connection):
            return answers.command_results_of(self._connection, run_id)

    def events(self, limit: int = 200) -> list[Event]:
        """The last events, newest first."""
        with one_moment(self._connection):
            return answers.last_events(self._connection, limit)

    def fold_step(self, now_s: float) -> bool:
        """Make roll-ups that are due at `now_s` for some 20 ms; False when nothing is left to do."""
        return folding.fold_step(self._connection, now_s)

    def fold(self, now_s: float) -> None:
        """Make all roll-ups that are due at `now_s`."""
        while self.fold_step(now_s):
            pass

    def apply_retention(self, retention: Retention, now_s: float) -> int:
        """Fold and remove what is too old at `now_s`; the number of rows removed."""
        return sum(self.retention_steps(retention, now_s))

    def retention_steps(self, retention: Retention, now_s: float) -> Iterator[int]:
        """The same in steps of some 50 ms, for who has other things to do between; rows removed by each."""
        return rollups.retention_steps(self._connection, retention, now_s)

    def count(self, table: str) -> int:
        """Number of rows of one table."""
        with one_moment(self._connection):
            found = self._connection.execute(select(func.count()).select_from(metadata.tables[table]))
            return int(found.scalar_one())
