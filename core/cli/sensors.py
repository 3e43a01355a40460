"""`beffroi sensors serve|list|send|simulate`: sensors over TCP taken in, listed, and simulated.

`listening on HOST:PORT` is the first line of `serve`, and never translated. `serve` has a history of its own, with
short transactions, so that a window or another command of the same home is hardly ever in its way.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from core.cli.output import local_time, measured, print_json, print_problem, print_table, print_text
from core.cli.parser import number, whole_number
from core.config import Config, database_location, load_config
from core.config.settings import SensorsSettings
from core.errors import StoreError, TransportError, UsageError
from core.home import Home
from core.language import _, ngettext
from core.services.sensor_client import Simulator, TcpSensor
from core.services.sensor_door import DEFAULT_LISTEN, DEFAULT_PORT
from core.services.sensor_file import SensorFile
from core.services.sensor_intake import SensorIntake
from core.services.sensor_threads import TcpServer
from core.site_records import IntakeReport, Record, SensorMeasure
from core.store.history import History
from core.times import iso_time
from core.transport.address import parse_address, shown_address

SIMULATED_AT_MOST = 1000
FIRST_ANSWER_S = 10.0
"""A simulation that has reached nobody for so long ends."""

BUSY_S = 0.05
"""The intake waits so long for another writer at a time, since meanwhile it reads nothing; it tries again later."""

PATIENT_S = 5.0


def register(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the group `sensors`."""
    group = commands.add_parser("sensors", parents=[common], help=_("take measures of sensors in, list, simulate"))
    actions = group.add_subparsers(metavar=_("ACTION"), required=True)

    served = actions.add_parser("serve", parents=[common], help=_("take measures in until stopped"))
    served.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help=_("where to listen (default {default}); port 0 picks one").format(default=DEFAULT_LISTEN),
    )
    served.add_argument("--threads", action="store_true", help=_("a thread for each sensor instead of one loop"))
    served.add_argument("--file", type=Path, metavar="FILE", help=_("also append each measure as a line to this file"))
    served.set_defaults(handler=serve)

    listed = actions.add_parser("list", parents=[common], help=_("list the last value of each sensor"))
    listed.set_defaults(handler=list_sensors, empty_document=[])

    sent = actions.add_parser("send", parents=[common], help=_("send one temperature, as a sensor does"))
    sent.add_argument("--to", required=True, metavar="HOST:PORT", help=_("where a sensor server listens"))
    sent.add_argument("--id", required=True, metavar="ID", help=_("name of the sensor"))
    sent.add_argument("--temperature", required=True, type=number, metavar="T", help=_("the temperature in °C"))
    sent.set_defaults(handler=send, empty_document={"ok": False, "error": None})

    simulated = actions.add_parser("simulate", parents=[common], help=_("be many sensors until stopped"))
    simulated.add_argument(
        "--count", type=_count, required=True, metavar="N", help=_("how many sensors, from 1 to 1000")
    )
    simulated.add_argument("--to", required=True, metavar="HOST:PORT", help=_("where a sensor server listens"))
    simulated.add_argument(
        "--interval", type=_interval, default=5.0, metavar="S", help=_("seconds between two measures of one (5)")
    )
    simulated.add_argument(
        "--seed", type=whole_number, default=1, metavar="N", help=_("which sensors; the same seed, the same ones")
    )
    simulated.set_defaults(
        handler=simulate, empty_document={"sensors": 0, "sent": 0, "acknowledged": 0, "refused": 0, "error": None}
    )


def serve(options: argparse.Namespace) -> int:
    """Take measures in until SIGTERM or SIGINT, then save and answer those that have come."""
    config = _config(options)
    settings = _settings(options, config)
    with _Keeper(database_location(config, options.home), PATIENT_S if options.threads else BUSY_S) as keeper:
        return _serve_in_threads(settings, keeper) if options.threads else _serve_in_loop(settings, keeper)


class _Keeper:
    """The history of a server, opened anew where it could only be read before, or its file was moved or removed."""

    def __init__(self, location: Path | str, patience_s: float) -> None:
        self._location = location
        self._patience_s = patience_s
        self._history = self._opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._history.close()

    def save(self, measures: Sequence[SensorMeasure]) -> None:
        """Write measures durably. Raises StoreError and its family."""
        if not self._history.is_in_place:  # what is written there would go with a file that nobody finds
            self._history.close()
            self._history = self._opened()
        elif self._history.refusal is not None:
            again, before = self._opened(), self._history
            self._history = again
            before.close()
        self._history.write_measures(measures)

    def _opened(self) -> History:
        history = History.open(self._location)
        history.wait_for_others(self._patience_s)
        return history


def _serve_in_loop(settings: SensorsSettings, keeper: _Keeper) -> int:
    from core.cli.console import run_until_signalled

    async def save(measures: Sequence[SensorMeasure]) -> None:
        # In the loop's own thread: SQLite in another one would wait for the interpreter at each row.
        keeper.save(measures)

    async def main(signalled: asyncio.Event) -> int:
        intake = SensorIntake(settings, save, _teller())
        running = asyncio.ensure_future(intake.run())
        try:
            await _first_of(running, intake.ready(), signalled.wait())
            if intake.address is not None:
                print(f"listening on {intake.address}", flush=True)
            await _first_of(running, signalled.wait())
        finally:
            await _ended(running)
        return 0

    return run_until_signalled(main)


def _serve_in_threads(settings: SensorsSettings, keeper: _Keeper) -> int:
    from core.cli.console import run_until_signalled

    server = TcpServer(settings, keeper.save, _teller())

    async def main(signalled: asyncio.Event) -> int:
        print(f"listening on {server.address}", flush=True)
        thread = threading.Thread(target=server.serve, name="sensor server")
        thread.start()
        try:
            await signalled.wait()
        finally:
            server.stop()
            await asyncio.to_thread(thread.join)
        return 0

    return run_until_signalled(main)


def list_sensors(options: argparse.Namespace) -> int:
    """Print the last value of each series; none where there is no history yet."""
    config = _config(options)
    location = database_location(config, options.home)
    if isinstance(location, Path) and not location.exists():
        found = []
    else:
        with History.open(location, create=False) as history:
            found = history.sensors()
    known = {sensor.id: sensor for sensor in config.sensor_list}
    rows = []
    for one in found:
        sensor = known.get(one.sensor)
        rows.append(
            {
                "id": one.sensor,
                "quantity": one.quantity,
                "value": one.value,
                "unit": sensor.unit if sensor is not None and sensor.unit is not None else one.unit,
                "place": (sensor.place or None) if sensor is not None else None,
                "time": iso_time(one.time_s),
                "count": one.count,
            }
        )
    if options.json:
        print_json(rows)
    elif not rows:
        print_problem(_("no sensor has sent anything yet; take measures in with: beffroi sensors serve"))
    else:
        print_table(
            (_("Sensor"), _("Quantity"), _("Value"), _("Unit"), _("Place"), _("When"), _("Count")),
            [
                (
                    row["id"],
                    row["quantity"],
                    measured(one.value),
                    row["unit"] or "",
                    row["place"] or "",
                    local_time(one.time_s),
                    row["count"],
                )
                for one, row in zip(found, rows, strict=True)
            ],
        )
    return 0


def send(options: argparse.Namespace) -> int:
    """Send one temperature; 0 once it is acknowledged, 1 where it is not."""
    if not options.id.strip():
        raise UsageError(_("a sensor needs a name; give it with --id"))
    if not math.isfinite(options.temperature):
        raise UsageError(_("{value} is no temperature").format(value=options.temperature))

    async def exchange() -> tuple[bool, str | None]:
        sensor = TcpSensor(options.id, options.to)
        try:
            answer = await sensor.send(options.temperature)
        finally:
            await sensor.close()
        return answer.ok, answer.error

    try:
        is_taken, error = asyncio.run(exchange())
    except TransportError as failure:
        is_taken, error = False, str(failure)
    if options.json:
        print_json({"ok": is_taken, "error": error})
    elif is_taken:
        print_text(_("{sensor}: {value} °C was saved").format(sensor=options.id, value=measured(options.temperature)))
    if not is_taken:
        print_problem(error or _("{address} refuses it and does not say why").format(address=options.to))
    return 0 if is_taken else 1


def simulate(options: argparse.Namespace) -> int:
    """Be many sensors until SIGTERM or SIGINT; 1 where nobody answers at the beginning."""
    from core.cli.console import run_until_signalled

    parse_address(options.to, DEFAULT_PORT)
    simulator = Simulator(options.to, options.count, interval_s=options.interval, seed=options.seed)

    async def main(signalled: asyncio.Event) -> int:
        running = asyncio.ensure_future(simulator.run())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_ANSWER_S):
                    await _first_of(running, simulator.first_answer(), signalled.wait())
            if simulator.state.acknowledged + simulator.state.refused == 0 and not signalled.is_set():
                return 1
            if not options.json and not signalled.is_set():
                print_problem(
                    ngettext(
                        "{count} sensor sends to {address} every {interval:g} s; end with Ctrl+C",
                        "{count} sensors send to {address} every {interval:g} s; end with Ctrl+C",
                        options.count,
                    ).format(count=options.count, address=options.to, interval=options.interval)
                )
            await _first_of(running, signalled.wait())
        finally:
            await _ended(running)
        return 0

    status = run_until_signalled(main)
    state = simulator.state
    if options.json:
        print_json(
            {
                "sensors": state.sensors,
                "sent": state.sent,
                "acknowledged": state.acknowledged,
                "refused": state.refused,
                "error": state.error,
            }
        )
    else:
        print_text(
            _("{sent} measures sent, {taken} saved, {refused} refused").format(
                sent=state.sent, taken=state.acknowledged, refused=state.refused
            )
        )
    if state.error is not None:
        print_problem(state.error)
    return status


def _config(options: argparse.Namespace) -> Config:
    config, warnings = load_config(options.home)
    for warning in warnings:
        print_problem(warning)
    return config


def _settings(options: argparse.Namespace, config: Config) -> SensorsSettings:
    """The settings of the intake; options count more, and a file of the settings is relative to the home."""
    home: Home = options.home
    settings = config.sensors
    if options.listen is not None:
        settings = replace(settings, listen=shown_address(*parse_address(options.listen, DEFAULT_PORT)))
    if options.file is not None:
        _check_file(options.file.absolute())
        return replace(settings, file=str(options.file.absolute()))
    return settings if settings.file is None else replace(settings, file=str(home.path / settings.file))


def _check_file(path: Path) -> None:
    """Make the file where it is missing; raises UsageError where measures could not be written to it."""
    file = SensorFile(path)
    try:
        file.append(())
    except StoreError as error:
        raise UsageError(str(error)) from error
    finally:
        file.close()


def _teller() -> Callable[[Record], None]:
    """Says on stderr what is refused, at most once a second, and what keeps measures from being saved, once."""
    told: list[object] = [0, None]

    def tell(record: Record) -> None:
        if not isinstance(record, IntakeReport):
            return
        if record.refused != told[0] and record.last_refusal is not None:
            told[0] = record.refused
            print_problem(
                _("refused ({count} so far): {reason}").format(count=record.refused, reason=record.last_refusal)
            )
        if record.error != told[1]:
            told[1] = record.error
            if record.error is not None and record.address is not None:
                print_problem(record.error)

    return tell


async def _first_of(running: asyncio.Future[None], *waits: Coroutine[Any, Any, object]) -> None:
    """Return when one of `waits` is over, or `running`; raises what `running` raises, and leaves it running."""
    others = [asyncio.ensure_future(wait) for wait in waits]
    try:
        everything: list[asyncio.Future[Any]] = [running, *others]
        await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _ended(running: asyncio.Future[None]) -> None:
    """Cancel what runs and wait for its end."""
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError, TransportError):
        await running


def _count(text: str) -> int:
    count = whole_number(text)
    if not 1 <= count <= SIMULATED_AT_MOST:
        raise argparse.ArgumentTypeError(_("from 1 to {most} sensors").format(most=SIMULATED_AT_MOST))
    return count


def _interval(text: str) -> float:
    seconds = number(text)
    if not 0.01 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(_("seconds lie between 0.01 and 86400"))
    return seconds
