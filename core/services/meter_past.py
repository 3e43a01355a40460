"""What alarms of meters need of the history: their power of the last weeks, and the forecast beside the budget.

Runs beside the watch of the alarms, in its loop; what the history cannot answer is asked again later, and no alarm
waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from core.alarms.baseline import DAY_QUARTERS, LEARNED_S
from core.alarms.engine import AlarmEngine
from core.alarms.texts import value_text
from core.config.settings import MeterConfig
from core.errors import BeffroiError
from core.language import _
from core.meter_records import EnergyAccount
from core.services.energy_account import energy_account
from core.site_records import Alarm
from core.tariffs import TariffConfig

LOOK_S = 1.0
BUDGET_S = 900.0
AGAIN_S = 60.0

_POINTS = round(LEARNED_S / 86_400.0) * DAY_QUARTERS * 2

log = logging.getLogger("beffroi.alarms")


class Query(Protocol):
    """Asks the history in the thread that holds it (`Recorder.query`)."""

    def __call__(self, function: Callable[[Any], Any], /) -> Awaitable[Any]:
        """What `function(history)` returns."""


class MeterPast:
    """Tells an engine what is usual for the meters that it hears, and their budgets; `run` until cancelled."""

    def __init__(self, query: Query, clock: Callable[[], float]) -> None:
        self._query = query
        self._clock = clock
        self._tariffs: Mapping[str, TariffConfig] = {}
        self._subscribed_w: Mapping[str, float] = {}
        self._engine: AlarmEngine | None = None
        self._budgets_s: dict[str, float] = {}
        self._waiting: dict[str, float] = {}

    def set_meters(self, meters: Sequence[tuple[MeterConfig, TariffConfig | None]]) -> None:
        """Take the meters of the settings, each with its tariff."""
        tariffs = {meter.name: tariff for meter, tariff in meters if tariff is not None and tariff.budget_per_month}
        if tariffs != self._tariffs:
            self._tariffs, self._budgets_s = tariffs, {}
        self._subscribed_w = {
            meter.name: meter.subscribed_power_w for meter, _tariff in meters if meter.subscribed_power_w is not None
        }
        if self._engine is not None:
            self._engine.set_subscribed_powers(self._subscribed_w)

    async def run(self, engine: AlarmEngine, tell: Callable[[Iterable[Alarm]], None]) -> None:
        """Follow the meters that `engine` hears; what rings is told."""
        self._engine = engine
        engine.set_subscribed_powers(self._subscribed_w)
        self._waiting = {}
        while True:
            try:
                await self._look(engine, tell)
            except Exception:  # the alarms themselves must go on
                log.exception("what is usual for the meters is not known")
                await asyncio.sleep(AGAIN_S)
            await asyncio.sleep(LOOK_S)

    async def _look(self, engine: AlarmEngine, tell: Callable[[Iterable[Alarm]], None]) -> None:
        now_s = self._clock()
        self._waiting |= dict.fromkeys(engine.taken_unlearned(), 0.0)
        for meter in [meter for meter, at_s in self._waiting.items() if not 0.0 < at_s - now_s <= AGAIN_S]:
            if await self._learn(engine, meter, now_s):
                del self._waiting[meter]
            else:
                self._waiting[meter] = now_s + AGAIN_S
        for meter, tariff in self._tariffs.items():
            if not 0.0 < self._budgets_s.get(meter, 0.0) - now_s <= BUDGET_S and engine.is_measured(meter):
                self._budgets_s[meter] = now_s + BUDGET_S
                await self._look_at_budget(engine, meter, tariff, tell)

    async def _learn(self, engine: AlarmEngine, meter: str, now_s: float) -> bool:
        """Ask for the power of a meter in the last weeks; False where it has to be asked again."""
        fields, start_s = ["active_power_w"], now_s - LEARNED_S
        try:
            found = await self._query(lambda history: history.meter_points(meter, fields, start_s, now_s, _POINTS))
        except BeffroiError as error:
            log.debug("the past of %s cannot be read: %s", meter, error)
            return False
        engine.learn(meter, found[0])
        return True

    async def _look_at_budget(
        self, engine: AlarmEngine, meter: str, tariff: TariffConfig, tell: Callable[[Iterable[Alarm]], None]
    ) -> None:
        now_s = self._clock()
        try:
            account: EnergyAccount = await self._query(lambda history: energy_account(history, meter, tariff, now_s))
        except BeffroiError as error:
            log.debug("the account of %s cannot be made: %s", meter, error)
            return
        if account.forecast_cost is None or not account.budget:
            return
        words = _("{forecast} is to be expected of {budget}; see what is used at the dear hours").format(
            forecast=value_text(account.forecast_cost, account.currency),
            budget=value_text(account.budget, account.currency),
        )
        percent = 100.0 * account.forecast_cost / account.budget
        tell(engine.feed(f"meter/{meter}", "budget_percent", percent, now_s, words))
