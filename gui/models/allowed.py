"""What machines allow, put together: each command once, with the machines that allow it, and how it is called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from core.access_records import AllowedCommand, AllowedCommands, AllowedParameter
from core.language import _
from gui.numbers import number

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@%+=,-]{0,255}")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)[?*]?\}")


class Offer(NamedTuple):
    """A command, the machines that allow it, and those where it needs a level that this console has not."""

    command: AllowedCommand
    machines: tuple[str, ...]
    too_low: tuple[str, ...]


def offers(told: Iterable[AllowedCommands]) -> list[Offer]:
    """All commands that `told` names, what most machines allow first; forms that differ are offered apart."""
    allowed: dict[tuple[object, ...], list[str]] = {}
    too_low: dict[tuple[object, ...], list[str]] = {}
    commands: dict[tuple[object, ...], AllowedCommand] = {}
    for one in told:
        for command in one.commands:
            key = (command.id, command.argv, command.parameters, command.level)
            commands.setdefault(key, command)
            place = allowed if one.level.rank >= command.level.rank else too_low
            place.setdefault(key, []).append(one.machine)
    found = [
        Offer(command, tuple(allowed.get(key, ())), tuple(too_low.get(key, ()))) for key, command in commands.items()
    ]
    return sorted(found, key=lambda offer: (offer.command.is_default, -len(offer.machines), offer.command.id))


def words_of_call(command: AllowedCommand, values: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What is sent: the id, then the values in their order; the whole line where that begins with the id."""
    if command.argv[0] == command.id:
        return argv_of_call(command, values)
    return (command.id, *(value for one in command.parameters for value in values.get(one.name, ())))


def argv_of_call(command: AllowedCommand, values: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What the agent runs, as its policy writes it."""
    argv: list[str] = []
    for word in command.argv:
        found = _PLACEHOLDER.search(word)
        if found is None:
            argv.append(word)
        else:
            argv += [word[: found.start()] + value + word[found.end() :] for value in values.get(found[1], ())]
    return tuple(argv)


def hint_of(parameter: AllowedParameter) -> str:
    """What may be typed for a parameter."""
    if parameter.type == "path" and parameter.roots:
        return _("a path in {roots}").format(roots=", ".join(parameter.roots))
    if parameter.type in ("int", "pid"):
        low, high = limits_of(parameter)
        return _("a whole number from {low} to {high}").format(low=number(low), high=number(high))
    return {
        "path": _("a path from the root on"),
        "host": _("the name or address of a host"),
        "word": _("a word without spaces"),
    }.get(parameter.type, "")


def limits_of(parameter: AllowedParameter) -> tuple[int, int]:
    """Least and greatest number that a parameter takes."""
    low = parameter.minimum if parameter.minimum is not None else 1 if parameter.type == "pid" else 0
    high = parameter.maximum if parameter.maximum is not None else 2**31 - 1
    return low, high


def problem_of(parameter: AllowedParameter, value: str) -> str:
    """Why the agent would refuse a value, empty where it would take it; the agent itself looks at more."""
    kind = parameter.type
    if kind == "enum" and value not in parameter.values:
        return _("{value} is none of the choices").format(value=value)
    if kind in ("int", "pid"):
        low, high = limits_of(parameter)
        if not re.fullmatch(r"-?[0-9]{1,18}", value) or not low <= int(value) <= high:
            return _("{value} is not {hint}").format(value=value, hint=hint_of(parameter))
    elif kind == "word" and not _WORD.fullmatch(value):
        return _("{value} is not a plain word: letters, digits and .:@%+=,_- only").format(value=value)
    elif kind == "path":
        if not value.startswith("/") or ".." in value.split("/"):
            return _("{value} is not a path from the root on").format(value=value)
        roots = parameter.roots
        if roots and not any(value == root or value.startswith(root.rstrip("/") + "/") for root in roots):
            return _("{value} is not below {roots}").format(value=value, roots=", ".join(roots))
    elif kind == "host":
        is_name = len(value) <= 253 and all(_LABEL.fullmatch(label) for label in value.removesuffix(".").split("."))
        if not is_name and not (":" in value and _IPV6.fullmatch(value)):
            return _("{value} is not the name or address of a host").format(value=value)
    elif kind == "flags" and not (value.startswith("-") and set(value[1:]) <= set(parameter.letters)):
        return _("{value} has letters that are not allowed").format(value=value)
    return ""
