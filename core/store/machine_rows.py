"""Writes what is kept of machines: their minutes, the processes of these, what they run; and the rows of machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, select
from sqlalchemy.dialects.sqlite import insert

from core.machine_records import MinuteProcesses
from core.records import Machine
from core.store import processes, schema, stale
from core.store.columns import FIGURES, MACHINE_FIELDS, merge_statement
from core.store.kinds import MACHINE
from core.store.minutes import MachineMinute, MachineSystem


def _merged_figures() -> dict[str, str]:
    changes = {"samples": "samples + excluded.samples"}
    for field in MACHINE_FIELDS:
        low, mean, high = (f"{field}_{figure}" for figure in FIGURES)
        changes[low] = f"min(coalesce({low}, excluded.{low}), coalesce(excluded.{low}, {low}))"
        changes[high] = f"max(coalesce({high}, excluded.{high}), coalesce(excluded.{high}, {high}))"
        changes[mean] = (
            f"(coalesce({mean}, excluded.{mean}) * samples + coalesce(excluded.{mean}, {mean}) * excluded.samples)"
            " / (samples + excluded.samples)"
        )
    return changes


_INSERT_MINUTE = merge_statement(schema.machine_minutes, ("machine_id", "minute_s"), _merged_figures())


class MachineWriter:
    """Writes inside the caller's transaction; remembers the numbers of the machines it has met."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._machines: dict[str, int] = {}

    def forget(self) -> None:
        """Look all numbers up again: a transaction was undone, or another process removed rows."""
        self._machines.clear()

    def write_minutes(self, minutes: Sequence[MachineMinute]) -> None:
        """Write minutes; one that is there already is merged."""
        rows = [(self._machine_id(row.machine), row.minute_s, row.samples, *row.figures) for row in minutes]
        if rows:
            self._connection.exec_driver_sql(_INSERT_MINUTE, rows)
            cursor = self._connection.connection.cursor()
            try:
                times = [(self._machine_id(row.machine), float(row.minute_s)) for row in minutes]
                stale.note_times(cursor, MACHINE, times)
            finally:
                cursor.close()

    def write_systems(self, systems: Sequence[MachineSystem]) -> None:
        """Note what machines run; one that is known already costs no page."""
        rows = [(system.os, self._machine_id(system.machine), system.os) for system in systems]
        if rows:
            self._connection.exec_driver_sql("UPDATE machines SET os = ? WHERE id = ? AND os <> ?", rows)

    def write_processes(self, minutes: Sequence[MinuteProcesses]) -> int:
        """Write which processes used most; the number of rows."""
        if not minutes:
            return 0
        cursor = self._connection.connection.cursor()
        try:
            processes.write(cursor, [(self._machine_id(minute.machine), minute) for minute in minutes])
        finally:
            cursor.close()
        return len(minutes)

    def _machine_id(self, name: str) -> int:
        if name not in self._machines:
            table = schema.machines
            known = select(table.c.name, table.c.id)
            self._machines = {row.name: row.id for row in self._connection.execute(known)}  # all at once: 2,000 of them
            if name not in self._machines:
                row = machine_row(Machine(name=name, host=""), is_configured=False)
                self._connection.execute(insert(table).values(row))
                self._machines[name] = self._connection.execute(
                    select(table.c.id).where(table.c.name == name)
                ).scalar_one()
        return self._machines[name]


def machine_row(machine: Machine, *, is_configured: bool = True) -> dict[str, Any]:
    """Columns of a machine."""
    return {
        "name": machine.name,
        "is_configured": is_configured,
        "host": machine.host,
        "port": machine.port,
        "groups": json.dumps(machine.groups),
        "notes": machine.notes,
        "fingerprint": machine.fingerprint,
        "certificate_pem": machine.certificate_pem,
        "level": machine.level.value if machine.level else None,
        "is_local": machine.is_local,
        "reference": machine.reference,
        "price_before_tax": machine.price_before_tax,
        "vat_rate_percent": machine.vat_rate_percent,
        "tags": json.dumps(machine.tags),
        "os": machine.os,
    }


def merged_os(new: Mapping[str, ColumnElement[Any]]) -> ColumnElement[str]:
    """What a saved machine runs: what the agent of this certificate told, else what is saved, else what was known."""
    known = schema.machines.c
    is_told = (known.os != "") & known.fingerprint.is_not_distinct_from(new["fingerprint"])
    return case((is_told | (new["os"] == ""), known.os), else_=new["os"])
