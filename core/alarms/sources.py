"""All sources that are watched, each with the bells of the rules that hold for it: the index from records to rules.

It is made once for each source and anew when rules or groups change; a record then costs no look at any rule.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet

from core.alarms.bells import FIELDS, Bell, Source
from core.alarms.book import NOBODY, AlarmBook
from core.alarms.rules import rules_for
from core.site_records import AlarmRule

MOST_SOURCES = 20_000
"""Sources that are watched at most; `unwatched` counts the records of those beyond."""


class Sources:
    """The sources by name, such as `machine/web-01`.

    `silent` are those with a rule of silence; `down` the bells of those that are not there, each with the time since
    when. `now_s` is the time of the record that is looked at.
    """

    def __init__(self, rules: Sequence[AlarmRule], book: AlarmBook) -> None:
        self.by_name: dict[str, Source] = {}
        self._machines: dict[str, Source] = {}
        self.silent: dict[str, Source] = {}
        self.down: dict[Bell, float] = {}
        self.unwatched = 0
        self.now_s = 0.0
        self._rules = tuple(rules)
        self._book = book
        self._groups: Mapping[str, AbstractSet[str]] = {}
        self._labels: Mapping[str, str] = {}
        self._sensors: dict[str, Source] = {}
        self._unruled: set[str] = set()

    def of(self, name: str) -> Source | None:
        """The source of that name, made where it is new; None where there are too many."""
        source = self.by_name.get(name)
        if source is None:
            if len(self.by_name) >= MOST_SOURCES:
                self.unwatched += 1
                return None
            source = self.by_name[name] = Source(name, self._labels.get(name))
            self._compile(source)
        return source

    def machine(self, name: str) -> Source | None:
        """The machine of that name."""
        source = self._machines.get(name)
        if source is None:
            source = self.of(f"machine/{name}")
            if source is not None:
                self._machines[name] = source
        return source

    def sensor(self, name: str) -> Source | None:
        """The sensor of that name; None where no rule is about it, so that made-up names take no room."""
        source = self._sensors.get(name)
        if source is not None or name in self._unruled:
            return source
        full = f"sensor/{name}"
        if full not in self.by_name and not self._rules_of(full):
            if len(self._unruled) >= MOST_SOURCES:
                self._unruled.clear()
            self._unruled.add(name)
            return None
        source = self.of(full)
        if source is not None:
            self._sensors[name] = source
        return source

    def set_rules(self, rules: Sequence[AlarmRule]) -> None:
        """Take other rules."""
        if tuple(rules) != self._rules:
            self._rules = tuple(rules)
            self._unruled.clear()
            for source in self.by_name.values():
                self._compile(source)

    def set_groups(self, groups: Mapping[str, AbstractSet[str]]) -> None:
        """Take the groups of sources."""
        before, self._groups = self._groups, dict(groups)
        self._book.set_groups(self._groups)
        for name, source in self.by_name.items():
            if before.get(name, NOBODY) != self._groups.get(name, NOBODY):
                self._compile(source)

    def set_labels(self, labels: Mapping[str, str]) -> None:
        """Take what people call some of them."""
        self._labels = dict(labels)
        for name, source in self.by_name.items():
            source.set_label(self._labels.get(name))

    def keep_only(self, kind: str, names: Collection[str]) -> None:
        """Forget all sources of `kind` but these, and end what they rang."""
        prefix = f"{kind}/"
        gone = [name for name in self.by_name if name.startswith(prefix) and name[len(prefix) :] not in names]
        for name in gone:
            source = self.by_name.pop(name)
            self.silent.pop(name, None)
            if kind == "machine":
                self._machines.pop(name[len(prefix) :], None)
            elif kind == "sensor":
                self._sensors.pop(name[len(prefix) :], None)
            self.drop_bells(source)

    def drop_bells(self, source: Source) -> None:
        """End what a source rings."""
        for bell in source.bells.values():
            self.down.pop(bell, None)
            self._book.drop(bell, self.now_s)

    def shift(self, seconds: float) -> None:
        """All that lasts has lasted for so much less."""
        for source in self.by_name.values():
            if source.heard_s is not None:
                source.heard_s += seconds
            if source.pace.last_s is not None:
                source.pace.last_s += seconds
            for bell in source.bells.values():
                bell.condition.shift(seconds)
                if bell.calm_s is not None:
                    bell.calm_s += seconds
                if bell.over_s is not None and seconds < 0:  # else it says truly when it was over
                    bell.over_s += seconds
        self.down = {bell: since_s + seconds for bell, since_s in self.down.items()}

    def _rules_of(self, name: str) -> list[AlarmRule]:
        return rules_for(self._rules, name, self._groups.get(name, NOBODY))

    def _compile(self, source: Source) -> None:
        """Give a source its bells, by the rules that hold for it now."""
        name = source.source
        for bell in source.offline:
            self.down.pop(bell, None)
        source.set_rules(self._rules_of(name))
        source.read_by(FIELDS.get(name.partition("/")[0], {}))
        for bell in source.kept.values():
            self._book.drop(bell, self.now_s)
        source.kept = {}
        self._book.renew(source)
        if source.silent:
            self.silent[name] = source
        else:
            self.silent.pop(name, None)
        if source.is_up is False:
            for bell in source.offline:
                self.down[bell] = bell.condition.since_s or source.heard_s or 0.0
