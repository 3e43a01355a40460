"""One check of the site: what is known of it, as a shape, a colour and words."""

from __future__ import annotations

import time
from collections.abc import Sequence

from core.config.settings import CheckConfig
from core.language import _, ngettext
from core.site_records import CheckResult, CheckState
from gui.models.machine_row import Shape
from gui.numbers import clock, duration, exact_time, number
from gui.plain_text import one_line

CERTIFICATE_DAYS = 14
"""A certificate that ends sooner is a warning."""

_ROLES = {Shape.CIRCLE: "ok", Shape.TRIANGLE: "warning", Shape.SQUARE: "critical", Shape.RING: "unknown"}
_RANKS = {Shape.SQUARE: 1, Shape.TRIANGLE: 4, Shape.RING: 5, Shape.CIRCLE: 6}


class CheckRow:
    """A check: as configured (its target as it may be shown), its last result, and since when it stands so.

    `since_s` is None until this window has seen its state change: what was before is in the history alone.
    """

    __slots__ = ("config", "result", "since_s")

    def __init__(self, config: CheckConfig) -> None:
        self.config = config
        self.result: CheckResult | None = None
        self.since_s: float | None = None

    @property
    def name(self) -> str:
        """The check's name."""
        return self.config.name

    @property
    def group(self) -> str:
        """The group it is listed under: its first one, none for those under *Checks*."""
        return self.config.groups[0] if self.config.groups else ""

    @property
    def is_problem(self) -> bool:
        """True where the last result is not ok."""
        return self.result is not None and self.result.state is not CheckState.OK

    @property
    def is_old(self) -> bool:
        """True where results should have come and did not: nobody checks."""
        if self.result is None:
            return False
        allowed_s = 3 * self.config.interval_s + self.config.timeout_s
        return time.time() - self.result.time_s > allowed_s

    @property
    def shape(self) -> Shape:
        """How its state is drawn."""
        if self.result is None or self.is_old:
            return Shape.RING
        if self.is_problem:
            return Shape.SQUARE
        return Shape.TRIANGLE if self.ends_soon else Shape.CIRCLE

    @property
    def role(self) -> str:
        """The role of the colour of its state."""
        return _ROLES[self.shape]

    @property
    def ends_soon(self) -> bool:
        """True where its certificate is about to end."""
        days = None if self.result is None else self.result.certificate_days
        return days is not None and days < CERTIFICATE_DAYS

    def apply(self, result: CheckResult) -> None:
        """Take a newer result."""
        before = self.result
        if before is not None and result.time_s < before.time_s:
            return
        if before is not None and before.state is not result.state:
            self.since_s = result.time_s
        self.result = result

    def latency(self) -> str:
        """`23 ms`; empty where it is not known."""
        if self.result is None or self.result.latency_ms is None:
            return ""
        return latency_words(self.result.latency_ms)

    def reason(self) -> str:
        """Its state in a few words: the target while it is ok, what happened while it is not."""
        result = self.result
        if result is None:
            return _("waiting for its first result")
        if self.is_old:
            return _("no result since {time}").format(time=clock(result.time_s))
        if result.state is CheckState.OK:
            return days_words(result.certificate_days) if self.ends_soon else one_line(self.config.target)
        return one_line(result.error or state_words(result.state))

    def details(self) -> str:
        """All that a tool-tip says, plain text."""
        result = self.result
        lines = [f"{self.name} · {self.config.target}"]
        if result is None:
            return "\n".join([*lines, self.reason()])
        lines.append(
            state_words(result.state) if result.status is None else f"{state_words(result.state)} · {result.status}"
        )
        if result.error:
            lines.append(result.error)
        if self.since_s is not None:
            lines.append(_("since {time}").format(time=exact_time(self.since_s)))
        if result.latency_ms is not None:
            lines.append(_("latency {time}").format(time=latency_words(result.latency_ms)))
        if result.certificate_days is not None:
            lines.append(days_words(result.certificate_days))
        lines.append(
            _("checked at {time}, every {interval}").format(
                time=exact_time(result.time_s), interval=duration(self.config.interval_s)
            )
        )
        return "\n".join(lines)

    def rank(self) -> int:
        """The worst first, in the order of machines: failed beside offline, all healthy ones equal."""
        return _RANKS[self.shape]

    def matches(self, words: Sequence[str]) -> bool:
        """True when each word is in its name, target, groups or state."""
        config = self.config
        text = " ".join((config.name, config.target, *(f"@{group}" for group in config.groups), self.reason()))
        if self.result is not None:
            text += " " + state_words(self.result.state)
        text = text.casefold()
        return all(word in text for word in words)


def state_words(state: CheckState) -> str:
    """What a state is called."""
    return {CheckState.OK: _("ok"), CheckState.FAILED: _("failed"), CheckState.TIMEOUT: _("no answer in time")}[state]


def latency_words(latency_ms: float) -> str:
    """`0.4 ms`, `23 ms`, `1.8 s`."""
    if latency_ms < 10:
        return f"{number(latency_ms, 1)} ms"
    return f"{number(latency_ms)} ms" if latency_ms < 1000 else f"{number(latency_ms / 1000, 1)} s"


def days_words(days: float | None) -> str:
    """How long a certificate is good."""
    if days is None:
        return ""
    if days < 0:
        count = max(1, int(-days))
        return ngettext("certificate ended {count} day ago", "certificate ended {count} days ago", count).format(
            count=number(count)
        )
    count = int(days)
    return ngettext("certificate ends in {count} day", "certificate ends in {count} days", count).format(
        count=number(count)
    )
