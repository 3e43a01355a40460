"""Rows of 20 columns into the history through the product, and a day at 1 Hz out of it again.

Peers in the same run, on the same disk: the driver's own `executemany` (the floor) and the ORM of SQLAlchemy, as most
programs use it. Every commit of every writer is synchronous.
"""

from __future__ import annotations

import math
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Float, Integer, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bench import Row
from core.records import Measurement, MeterIdentity, MeterReadings
from core.store.history import History
from core.store.schema import METER_FIELDS

ROWS = 86_400
BATCH = 1_000
ORM_ROWS = 10_000
START_S = 1_700_000_000.0
FIELDS = list(METER_FIELDS)[:17]
"""With meter, time and quality, 20 columns."""

GOAL_ROWS = 80_000

READ = ("voltage_l1_v", "voltage_l2_v", "voltage_l3_v", "active_power_w")


class Base(DeclarativeBase):
    pass


class OrmRow(Base):
    __tablename__ = "orm_measurements"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    time_s: Mapped[float] = mapped_column(Float, index=True)
    quality: Mapped[int] = mapped_column(Integer)


for _name in FIELDS:
    setattr(OrmRow, _name, mapped_column(Float))


def values_at(second: int) -> list[float]:
    """A day that moves: no two rows the same."""
    return [230 + 5 * math.sin(second / 600 + number) for number in range(len(FIELDS))]


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = [
            MeterReadings(
                name="main",
                protocol="push",
                meter=MeterIdentity(manufacturer="LGZ"),
                time_s=START_S + second,
                readings=(),
                measurement=Measurement(**dict(zip(FIELDS, values_at(second), strict=True))),
            )
            for second in range(ROWS)
        ]
        tuples = [(START_S + second, 0, *values_at(second)) for second in range(ROWS)]
        with History.open(folder / "history.db") as history:
            ours = ROWS / timed(lambda: in_batches(records, history.write))
            raw = ROWS / timed(lambda: write_raw(folder / "raw.db", tuples))
            orm = ORM_ROWS / timed(lambda: write_orm(folder / "orm.db", tuples[:ORM_ROWS]))
            read = [timed(lambda: read_day(history)) for _turn in range(5)]
        orm_all = folder / "orm_all.db"
        fill_orm(orm_all, tuples)
        orm_read = timed(lambda: read_orm(orm_all))
    ours_ms, orm_ms = statistics.median(read) * 1e3, orm_read * 1e3
    note = (
        f"batches of {BATCH}, each on the disk; {ours / raw:.2f} of raw executemany of these rows ({raw:,.0f}/s), "
        f"with a load of {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    )
    return [
        Row(
            "history: rows of 20 columns written, peer: ORM, batched",
            ours,
            orm,
            ours / orm,
            "rows/s",
            f"≥ {GOAL_ROWS // 1000}k rows/s",
            ours >= GOAL_ROWS,
            note,
        ),
        Row(
            "history: 24 h at 1 Hz × 4 to points, peer: ORM",
            ours_ms,
            orm_ms,
            orm_ms / ours_ms,
            "ms",
            "≤ 150 ms",
            ours_ms <= 150,
            f"median of {len(read)}, slowest {max(read) * 1e3:.0f} ms; 2,000 points with least, mean and greatest",
        ),
    ]


def timed(work: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    work()
    return time.perf_counter() - begun_s


def in_batches(rows: list, write: Callable[[list], object]) -> None:  # type: ignore[type-arg]  # of any row
    for begin in range(0, len(rows), BATCH):
        write(rows[begin : begin + BATCH])


def write_raw(path: Path, rows: list[tuple[float, ...]]) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    columns = ", ".join(f"{name} REAL" for name in FIELDS)
    connection.execute(
        f"CREATE TABLE m (meter_id INTEGER, time_s REAL, quality INTEGER, {columns}, PRIMARY KEY (meter_id, time_s))"
        " WITHOUT ROWID"
    )
    statement = f"INSERT INTO m VALUES (1, {', '.join('?' * (2 + len(FIELDS)))})"

    def write(batch: list[tuple[float, ...]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, batch)
        connection.execute("COMMIT")

    in_batches(rows, write)
    connection.close()


def orm_row(row: tuple[float, ...]) -> OrmRow:
    return OrmRow(time_s=row[0], quality=0, **dict(zip(FIELDS, row[2:], strict=True)))


def write_orm(path: Path, rows: list[tuple[float, ...]]) -> None:
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    with Session(engine) as session:

        def write(batch: list[tuple[float, ...]]) -> None:
            session.add_all([orm_row(row) for row in batch])
            session.commit()

        in_batches(rows, write)
    engine.dispose()


def fill_orm(path: Path, rows: list[tuple[float, ...]]) -> None:
    """The ORM's table filled fast: only the reading is measured."""
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(
            OrmRow.__table__.insert(),
            [{"time_s": row[0], "quality": 0, **dict(zip(FIELDS, row[2:], strict=True))} for row in rows],
        )
    engine.dispose()


def read_day(history: History) -> None:
    points = history.meter_points("main", READ, START_S, START_S + ROWS)
    if any(len(series.time_s) != 2000 for series in points):
        raise AssertionError([len(series.time_s) for series in points])


def read_orm(path: Path) -> list[list[float]]:
    engine = create_engine(f"sqlite:///{path}")
    with Session(engine) as session:
        rows = session.scalars(
            select(OrmRow).where(OrmRow.time_s >= START_S, OrmRow.time_s < START_S + ROWS).order_by(OrmRow.time_s)
        ).all()
        curves = [[getattr(row, name) for row in rows] for name in READ]
    engine.dispose()
    return curves
