"""Which machines the words of a user mean; the command line and the window read them alike. Pure.

    all                     every machine
    web-1                   a name; several stand with commas between them
    web-*                   a pattern, with `*`, `?` and `[abc]` as in file names
    srv[01-40,42]           folded names, as ClusterShell, pdsh and `run --gather` write them: numbers keep their width,
                            several brackets are every combination, `[0-20/2]` is every second one
    @lab                    the machines of a group; here and below a pattern will do
    tag:printer             those that bear a tag
    os:linux                those whose system is called so; the beginning of any word of it is enough
    level:run               those on which this console has this level
    state:offline           those that stand so now
    address:10.1.*          those whose address is so; also a network, `address:10.1.0.0/16`
    filter:night            what a saved filter says
    !TARGET                 takes away, wherever it stands; alone, from all machines

The name of a machine comes first: one that is called `os:x` is meant by `os:x`. Case does not matter, unless two names
differ by it alone. Brackets that hold anything but numbers are those of a pattern, and so are those with numbers that
no machine has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from ipaddress import ip_address, ip_network

from msgspec import Struct

from core.errors import UsageError
from core.folded_names import BRACKETS, NotUnderstoodError, expanded
from core.language import _
from core.records import Level, Machine, MachineState

ALL = "all"
_LONGEST_TARGET = 4096
_MOST_PATTERNS = 512
_MOST_NEAR = 3


class TargetBook(Struct, frozen=True):
    """What targets are looked up in: the machines, the saved filters, and where machines stand as far as is known."""

    machines: tuple[Machine, ...]
    filters: Mapping[str, tuple[str, ...]] = {}
    states: Mapping[str, MachineState] = {}


def resolve(targets: Sequence[str], book: TargetBook) -> tuple[str, ...]:
    """Names of the machines that `targets` mean together, each once, in the order they are named.

    Raises nothing: a target that means nothing adds nothing, `lost` tells which and `problem` why.
    """
    return tuple(_Reading(book).together(targets))


def choose(targets: Sequence[str], book: TargetBook) -> tuple[str, ...]:
    """As `resolve`; raises UsageError for a target that means no machine, with what is near, and for none left."""
    reading = _Reading(book)
    for target in targets:
        if not reading.means_something(target):
            raise UsageError(problem(target, book))
    names = tuple(reading.together(targets))
    if targets and not names:
        raise UsageError(_("no machine is left: what is named is taken away again"))
    return names


def lost(targets: Sequence[str], book: TargetBook) -> tuple[str, ...]:
    """Those of `targets` that mean no machine."""
    reading = _Reading(book)
    return tuple(target for target in targets if not reading.means_something(target))


def missing(targets: Sequence[str], book: TargetBook) -> tuple[str, ...]:
    """Names that folded names among `targets` spell and no machine has; what takes away is not looked at."""
    known = {machine.name.casefold() for machine in book.machines}
    found: dict[str, None] = {}
    for target in targets:
        if target.casefold() in known or target.startswith("!"):
            continue
        for part in _parts(target):
            if BRACKETS.search(part) and not _is_pattern(BRACKETS.sub("", part)) and not _qualifier(part):
                try:
                    spelled = list(expanded(part))
                except NotUnderstoodError:
                    continue
                if any(name.casefold() in known for name in spelled):
                    found.update((name, None) for name in spelled if name.casefold() not in known)
    return tuple(found)


def problem(target: str, book: TargetBook) -> str:
    """Why a target means no machine, in a sentence that names what is near; "" where it means some."""
    reading = _Reading(book)
    try:
        if reading.read(target):
            return ""
    except NotUnderstoodError as error:
        return _("{target!r} means no machine: {reason}").format(target=target, reason=error)
    if reason := _unknown_yet(target.removeprefix("!"), book):
        return reason
    near = _near(target.removeprefix("!"), words(book))
    if near:
        return _("no machine is meant by {target!r}; near: {names}").format(target=target, names=", ".join(near))
    kind = re.match(r"!?(@|[a-z]+:)", target.casefold())
    alike = [word for word in words(book) if kind and word.startswith(kind[1])]
    known = _some(alike or [machine.name for machine in book.machines])
    return _("no machine is meant by {target!r}; known are: {names}").format(target=target, names=known)


def words(book: TargetBook) -> tuple[str, ...]:
    """Targets that a user can complete to: all of them mean something."""
    groups = {group for machine in book.machines for group in machine.groups}
    tags = {tag for machine in book.machines for tag in machine.tags}
    systems = {machine.os.casefold() for machine in book.machines if machine.os}
    levels = {machine.level for machine in book.machines if machine.level is not None}
    states = set(book.states.values())
    return (
        *([ALL] if book.machines else []),
        *(machine.name for machine in book.machines),
        *(f"@{group}" for group in sorted(groups)),
        *(f"filter:{name}" for name in book.filters),
        *(f"tag:{tag}" for tag in sorted(tags)),
        *(f"os:{system}" for system in sorted(systems)),
        *(f"level:{level.value}" for level in Level if level in levels),
        *(f"state:{state.value}" for state in MachineState if state in states),
    )


def needs_states(targets: Sequence[str], book: TargetBook) -> bool:
    """True where `targets`, or filters that they name, ask where machines stand."""
    return "state" in _kinds(targets, book)


def unknown_systems(targets: Sequence[str], book: TargetBook) -> tuple[str, ...]:
    """Paired machines of which it is not known what they run, where `targets`, or filters they name, ask for that."""
    if "os" not in _kinds(targets, book):
        return ()
    return tuple(machine.name for machine in book.machines if not machine.os and machine.fingerprint)


def _kinds(targets: Sequence[str], book: TargetBook) -> set[str]:
    """What stands before the colons of targets and of the filters that they name."""
    kinds: set[str] = set()
    seen: set[str] = set()
    waiting = list(targets)
    while waiting:
        for part in _parts(waiting.pop().removeprefix("!")):
            kind, value = _qualifier(part.removeprefix("!")) or ("", "")
            kinds.add(kind)
            for name in _filter_names(value, book) if kind == "filter" else ():
                if name not in seen:
                    seen.add(name)
                    waiting.extend(book.filters[name])
    return kinds


def _unknown_yet(target: str, book: TargetBook) -> str:
    """Why an `os:` or a `state:` that could mean a machine means none; "" for all other targets."""
    kind, value = _qualifier(target) or ("", "")
    if kind == "os" and (unknown := [machine.name for machine in book.machines if not machine.os]):
        text = _("no machine is meant by {target!r}; what {names} run is not known: it is learned when they are linked")
    elif kind == "state" and (unknown := [name for name in _Reading(book).read(ALL) if name not in book.states]):
        text = _("no machine is meant by {target!r}; where {names} stand is not known yet")
    else:
        return _("no machine is {state} now").format(state=value) if kind == "state" else ""
    return text.format(target=target, names=_some(unknown))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


class _Reading:
    """One look-up in a book."""

    def __init__(self, book: TargetBook) -> None:
        self._book = book
        self._names = {machine.name: None for machine in book.machines}
        self._folded: dict[str, list[str]] = {}
        for name in self._names:
            self._folded.setdefault(name.casefold(), []).append(name)
        self._within: list[str] = []

    def together(self, targets: Sequence[str]) -> list[str]:
        """What the targets mean, less what they take away."""
        meant: dict[str, None] = {}
        taken: set[str] = set()
        is_only_less = bool(targets)
        for target in targets:
            takes_away = target.startswith("!") and target not in self._names
            is_only_less = is_only_less and takes_away
            try:
                names = self.read(target)
            except NotUnderstoodError:
                continue
            if takes_away:
                taken.update(names)
            else:
                meant.update(dict.fromkeys(names))
        return [name for name in (self._names if is_only_less else meant) if name not in taken]

    def means_something(self, target: str) -> bool:
        """False for a target that names no machine, or is not understood."""
        try:
            return bool(self.read(target))
        except NotUnderstoodError:
            return False

    def read(self, target: str) -> Sequence[str]:
        """Names that a target means, `!` left aside; raises NotUnderstoodError."""
        if len(target) > _LONGEST_TARGET:
            raise NotUnderstoodError(_("it is too long"))
        if target == ALL:
            return list(self._names)
        if target in self._names:
            return [target]
        target = target.removeprefix("!")
        if target in self._names:
            return [target]
        found: dict[str, None] = {}
        for part in _parts(target):
            found.update(dict.fromkeys(self._part(part)))
        return list(found)

    def _part(self, part: str) -> Sequence[str]:
        if part == ALL:
            return list(self._names)
        if part in self._names:
            return [part]
        same = self._folded.get(part.casefold())
        if same is not None:
            return same
        if part.startswith("@"):
            return self._by_values(part[1:], lambda machine: machine.groups)
        qualified = _qualifier(part)
        if qualified is not None:
            return self._qualified(*qualified)
        if BRACKETS.search(part) and not _is_pattern(BRACKETS.sub("", part)):
            spelled = [name for wanted in expanded(part) for name in self._named(wanted)]
            if spelled:
                return spelled
        if _is_pattern(part):
            matches = _matcher(part)
            found = [name for name in self._names if matches(name)]
            if not found and BRACKETS.search(part):  # as in file names, `[23]` is a 2 or a 3 where there is no 23
                found = [name for name in self._names if fnmatchcase(name, part)]
            return found
        return []

    def _named(self, name: str) -> Sequence[str]:
        return [name] if name in self._names else self._folded.get(name.casefold(), ())

    def _qualified(self, kind: str, value: str) -> Sequence[str]:
        if not value:
            raise NotUnderstoodError(_("nothing stands after the colon"))
        if kind == "tag":
            return self._by_values(value, lambda machine: machine.tags)
        if kind == "os":
            return [machine.name for machine in self._book.machines if _is_system(machine.os, value)]
        if kind == "level":
            return self._of_level(value)
        if kind == "state":
            return self._of_state(value)
        if kind == "address":
            return self._at(value)
        return self._filtered(value)

    def _by_values(self, value: str, values_of: Callable[[Machine], Sequence[str]]) -> Sequence[str]:
        exact = [machine.name for machine in self._book.machines if value in values_of(machine)]
        if exact:
            return exact
        matches = _matcher(value)
        return [machine.name for machine in self._book.machines if any(map(matches, values_of(machine)))]

    def _of_level(self, value: str) -> Sequence[str]:
        known = {level.value: level for level in Level}
        level = known.get(value.casefold())
        if level is None:
            raise NotUnderstoodError(_("levels are {words}").format(words=", ".join(known)))
        return [machine.name for machine in self._book.machines if machine.level is level]

    def _of_state(self, value: str) -> Sequence[str]:
        known = {state.value: state for state in MachineState}
        state = known.get(value.casefold().replace(" ", "_"))
        if state is None:
            raise NotUnderstoodError(_("states are {words}").format(words=", ".join(known)))
        return [machine.name for machine in self._book.machines if self._book.states.get(machine.name) is state]

    def _at(self, value: str) -> Sequence[str]:
        if "/" not in value:
            matches = _matcher(value)
            return [
                machine.name
                for machine in self._book.machines
                if matches(machine.host) or matches(machine.address)
            ]  # fmt: skip
        try:
            network = ip_network(value, strict=False)
        except ValueError as error:
            raise NotUnderstoodError(_("{value!r} is no network").format(value=value)) from error
        found = []
        for machine in self._book.machines:
            try:
                is_within = ip_address(machine.host) in network
            except ValueError:  # a host by its name
                is_within = False
            if is_within:
                found.append(machine.name)
        return found

    def _filtered(self, value: str) -> Sequence[str]:
        names = _filter_names(value, self._book)
        if not names:
            known = ", ".join(list(self._book.filters)[:8])
            raise NotUnderstoodError(
                _("no filter is called {name!r}; saved are: {names}").format(name=value, names=known)
                if known
                else _("no filter is saved")
            )
        found: dict[str, None] = {}
        for name in names:
            if name in self._within:
                way = " → ".join([*self._within[self._within.index(name) :], name])
                raise NotUnderstoodError(_("the filter names itself: {way}").format(way=way))
            self._within.append(name)
            try:
                found.update(dict.fromkeys(self._inner(self._book.filters[name])))
            finally:
                self._within.pop()
        return list(found)

    def _inner(self, targets: Sequence[str]) -> Sequence[str]:
        for target in targets:
            self.read(target)  # what is not understood there is told, not left out
        return self.together(targets)


def _filter_names(value: str, book: TargetBook) -> Sequence[str]:
    if value in book.filters:
        return [value]
    matches = _matcher(value)
    return [name for name in book.filters if matches(name)]


def _qualifier(part: str) -> tuple[str, str] | None:
    kind, colon, value = part.partition(":")
    kind = kind.casefold()
    return (kind, value.strip()) if colon and kind in _QUALIFIERS else None


_QUALIFIERS = ("os", "tag", "level", "state", "address", "filter")


def _parts(target: str) -> Sequence[str]:
    """What commas part, those in brackets aside."""
    if "," not in target:
        return [target.strip()]
    return [part.strip() for part in re.split(r",(?![^\[\]]*\])", target) if part.strip()]


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _is_system(system: str, value: str) -> bool:
    """True where `value` begins a word of `system`, or is a pattern of the whole."""
    system, value = system.casefold(), value.casefold()
    if _is_pattern(value):
        return bool(system) and _matcher(value)(system)
    at = system.find(value)
    while at > 0 and system[at - 1].isalnum():
        at = system.find(value, at + 1)
    return at >= 0


@lru_cache(256)
def _matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a text, of any case, is like `pattern`; numbers in brackets are those of folded names."""
    texts = list(expanded(pattern, _MOST_PATTERNS)) if BRACKETS.search(pattern) else [pattern]
    matched = re.compile("|".join(translate(text.casefold()) for text in texts)).match
    return lambda text: matched(text.casefold()) is not None


def _near(target: str, known: Sequence[str]) -> list[str]:
    """Up to three words that a mistyped target may have meant."""
    bare = re.sub(r"\[[^\]]*\]?|[*?]", "", target).casefold()[:64]
    if not bare:
        return []
    by_fold: dict[str, str] = {}
    for word in known:
        by_fold.setdefault(word.casefold(), word)
    near = get_close_matches(bare, list(by_fold)[:5000], _MOST_NEAR, 0.6)
    return [by_fold[word] for word in by_fold if word in near]
