"""Which machines the targets of a command line mean, told in its words; `core.targets` has the language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core import targets
from core.cli.output import print_problem
from core.errors import UsageError
from core.gather import fold_names
from core.language import _
from core.records import Machine, MachineState
from core.targets import TargetBook


def choose(
    machines: Sequence[Machine],
    wanted: Sequence[str],
    filters: Mapping[str, tuple[str, ...]] | None = None,
    states: Mapping[str, MachineState] | None = None,
) -> list[Machine]:
    """The machines that `wanted` names, each once, in the order they are named; none given means all.

    Raises UsageError for a target that means no machine, and where there are no machines at all. Folded names of which
    some are no machine's are said, and the others meant.
    """
    if not machines and wanted:
        raise UsageError(no_machines_text())
    if not wanted:
        return list(machines)
    book = TargetBook(tuple(machines), filters or {}, states or {})
    names = targets.choose(wanted, book)
    missing = targets.missing(wanted, book)
    if missing:
        print_problem(_("no machine is called {names}").format(names=fold_names(missing)))
    if unknown := targets.unknown_systems(wanted, book):
        print_problem(_("os: leaves out {names}: what runs there is not known yet").format(names=fold_names(unknown)))
    by_name = {machine.name: machine for machine in machines}
    return [by_name[name] for name in names]


def no_machines_text() -> str:
    """What to do first."""
    return _(
        "there are no machines yet. On the machine to supervise: beffroi agent run --pair. "
        "Then here, with the code it shows: beffroi machines add NAME HOST --code CODE"
    )
