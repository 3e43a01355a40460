"""The part of the history that is of the site: sensors, checks, alarms, maintenances and the room."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from sqlalchemy import Connection

from core.records import SeriesPoints
from core.site_records import (
    Alarm,
    AlarmState,
    ChatLine,
    CheckResult,
    Maintenance,
    SensorMeasure,
    SensorSummary,
)
from core.store import alarms, chat, checks, reading, sensors
from core.store.connection import reading as one_moment
from core.store.connection import writing as one_batch
from core.store.kinds import SENSOR


class SiteHistory:
    """What a History offers for the site; every method is one transaction, as there."""

    def __init__(self, connection: Connection, operator_id: Callable[[str], int]) -> None:
        self._connection = connection
        self._operator_id = operator_id
        self._measures = sensors.MeasureWriter(connection)

    def write_measures(self, measures: Sequence[SensorMeasure]) -> int:
        """Write measures of sensors; they are on the disk when this returns. After an error none of them is.

        Two of one series in the same moment are both kept, the second a microsecond later. Raises StoreError and its
        family; UnwritableError where one is no finite number.
        """
        if not measures:
            return 0
        try:
            with one_batch(self._connection):
                return self._measures.write(measures)
        except BaseException:
            self._measures.forget()
            raise

    def sensors(self) -> list[SensorSummary]:
        """The last value of each series of each sensor, by name, and how many are kept as they came."""
        with one_moment(self._connection):
            return sensors.summaries(self._connection)

    def sensor_points(
        self, sensor: str, quantity: str, start_s: float, end_s: float, max_points: int = 2000
    ) -> SeriesPoints:
        """Points of one series of a sensor, as `points` gives them; none where there is no such series."""
        with one_moment(self._connection):
            owner = sensors.owner_of(sensor, quantity)
            return reading.points(self._connection, SENSOR, owner, ["value"], start_s, end_s, max_points)[0]

    def is_sensor_simulated(self, series: str, start_s: float) -> bool:
        """True where a measure of `series`, such as `cellar/temperature_c`, was simulated at `start_s` or later."""
        with one_moment(self._connection):
            return sensors.is_simulated(self._connection, series, start_s)

    def rename_check(self, old: str, new: str) -> None:
        """What is kept of a check goes on under its new name, also what came under that one meanwhile."""
        with one_batch(self._connection):
            checks.rename(self._connection, old, new)

    def last_checks(self) -> list[CheckResult]:
        """The newest result of each check that ever ran, by name."""
        with one_moment(self._connection):
            return checks.last_results(self._connection)

    def check_results(self, check: str, start_s: float, end_s: float, limit: int = 1000) -> list[CheckResult]:
        """The last `limit` results of one check from `start_s` to before `end_s`, oldest first."""
        with one_moment(self._connection):
            return checks.results(self._connection, check, start_s, end_s, limit)

    def alarms(
        self,
        states: Collection[AlarmState] | None = None,
        limit: int = 1000,
        search: str = "",
        since_s: float | None = None,
    ) -> list[Alarm]:
        """Alarms, newest first, in one of `states` (None: any).

        `search` is looked for in source, rule, text, comment and operator; `since_s` keeps those that stood at some
        time since then.
        """
        with one_moment(self._connection):
            return alarms.found_alarms(self._connection, states, limit, search, since_s)

    def open_alarms(self) -> list[Alarm]:
        """All alarms whose condition lasts and that nobody has put aside, newest first."""
        with one_moment(self._connection):
            return alarms.found_alarms(self._connection, alarms.OPEN, None, "", None)

    def last_alarm_id(self) -> int:
        """The highest number of an alarm; 0 where there is none."""
        with one_moment(self._connection):
            return alarms.last_alarm_id(self._connection)

    def change_alarms(
        self, ids: Sequence[int], state: AlarmState, operator: str, comment: str, time_s: float
    ) -> list[Alarm]:
        """Put the open ones of `ids` into `state`; those that changed, as they stand now.

        An empty `comment` leaves the one that is there. One that is over, or unknown, is not among what is returned.
        """
        with one_batch(self._connection):
            number = self._operator_id(operator)
            return alarms.change_alarms(self._connection, ids, state, number, comment, time_s)

    def maintenances(self, now_s: float) -> list[Maintenance]:
        """Maintenances that are under way or to come at `now_s`, by their beginning."""
        with one_moment(self._connection):
            return alarms.maintenances_from(self._connection, now_s)

    def save_maintenance(self, maintenance: Maintenance) -> Maintenance:
        """Add a maintenance whose `id` is 0, or change the one of that number; it with its number."""
        with one_batch(self._connection):
            number = self._operator_id(maintenance.operator)
            return alarms.write_maintenance(self._connection, maintenance, number)

    def end_maintenance(self, number: int, now_s: float) -> Maintenance | None:
        """End a maintenance at `now_s`; it as it stands then, None where there is none of that number."""
        with one_batch(self._connection):
            return alarms.end_maintenance(self._connection, number, now_s)

    def chat_lines(self, room: str, limit: int = 200, before_s: float | None = None) -> list[ChatLine]:
        """The last `limit` lines of a room, those before `before_s` where it is given, oldest first."""
        with one_moment(self._connection):
            return chat.last_lines(self._connection, room, limit, before_s)

    def search_chat(self, text: str, limit: int = 200) -> list[ChatLine]:
        """The last `limit` lines of all rooms whose text or author hold `text`, newest first."""
        with one_moment(self._connection):
            return chat.found_lines(self._connection, text, limit)

    def rooms(self) -> list[str]:
        """Names of the rooms in which something was said, sorted."""
        with one_moment(self._connection):
            return chat.rooms(self._connection)
