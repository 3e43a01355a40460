"""Which machines the words of a command mean: a name, a pattern, `@group`, or `all`."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from core.errors import UsageError
from core.language import _
from core.records import Machine


def choose(machines: Sequence[Machine], targets: Sequence[str]) -> list[Machine]:
    """The machines that `targets` name, each once, in the order they are named; none given means all.

    Raises UsageError for a target that names no machine, and where there are no machines at all.
    """
    if not machines and targets:
        raise UsageError(no_machines_text())
    chosen: dict[str, Machine] = {}
    for target in targets or ["all"]:
        found = _named(machines, target)
        if not found and targets:
            known = ", ".join(machine.name for machine in machines[:8]) + (", …" if len(machines) > 8 else "")
            raise UsageError(
                _("no machine is meant by {target!r}; known are: {names}").format(target=target, names=known)
            )
        chosen.update((machine.name, machine) for machine in found)
    return list(chosen.values())


def no_machines_text() -> str:
    """What to do first."""
    return _(
        "there are no machines yet. On the machine to supervise: beffroi agent run --pair. "
        "Then here, with the code it shows: beffroi machines add NAME HOST --code CODE"
    )


def _named(machines: Sequence[Machine], target: str) -> list[Machine]:
    if target == "all":
        return list(machines)
    exact = [machine for machine in machines if machine.name == target]
    if exact:
        return exact
    if target.startswith("@"):
        return [machine for machine in machines if any(fnmatchcase(group, target[1:]) for group in machine.groups)]
    if any(letter in target for letter in "*?["):
        return [machine for machine in machines if fnmatchcase(machine.name, target)]
    return [machine for machine in machines if machine.name.casefold() == target.casefold()]
