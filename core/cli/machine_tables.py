"""What `machines list` and `machines import --preview` print: machines, their equipment, and its sums."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from core.cli.console import DONE, FAILED
from core.cli.output import print_json, print_problem, print_table, print_text
from core.equipment import Totals, price_with_tax, totals
from core.language import N_, _, ngettext
from core.records import Machine, MachineState
from core.services.list_import import LineState, SiteImport

_MOST_PROBLEMS = 200
"""Lines that are named when a list is taken in; of more only the number is said."""

_STATES = {
    LineState.NEW: N_("new"),
    LineState.CHANGED: N_("changed"),
    LineState.SAME: N_("as it was"),
    LineState.REFUSED: N_("refused"),
}


def machine_document(machine: Machine, state: MachineState | None = None) -> dict[str, object]:
    """A configured machine as JSON; its state is known only where it was just asked for."""
    found = MachineState.UNPAIRED if machine.fingerprint is None else state
    return {
        "name": machine.name,
        "address": machine.address,
        "groups": list(machine.groups),
        "state": found.value if found is not None else None,
        "fingerprint": machine.fingerprint,
        "level": machine.level.value if machine.level is not None else None,
    }


def print_machines(machines: Sequence[Machine]) -> None:
    """A table of machines, with tags and equipment where any is known, and what all prices add up to."""
    is_tagged = any(machine.tags for machine in machines)
    is_equipment = any(machine.reference or machine.price_before_tax for machine in machines)
    print_table(
        [
            _("name"),
            _("address"),
            _("groups"),
            *([_("tags")] if is_tagged else []),
            *(_equipment_headers() if is_equipment else []),
            _("level"),
            _("fingerprint"),
        ],
        [
            [
                machine.name,
                machine.address,
                ", ".join(machine.groups),
                *([", ".join(machine.tags)] if is_tagged else []),
                *(_equipment_cells(machine) if is_equipment else []),
                machine.level.value if machine.level else "-",
                machine.fingerprint or _("not paired"),
            ]
            for machine in machines
        ],
    )
    _print_totals(totals(machines))


def _equipment_headers() -> list[str]:
    return [_("reference"), _("price"), _("VAT %"), _("with tax")]


def _equipment_cells(machine: Machine) -> list[object]:
    with_tax = price_with_tax(machine)
    return [
        machine.reference,
        machine.price_before_tax or "",
        machine.vat_rate_percent or "",
        "" if with_tax is None else with_tax,
    ]


def _print_totals(found: Totals) -> None:
    """What all prices add up to, by VAT rate where there are several; nothing where no price is known."""
    if found.count == 0:
        return
    rows: list[list[object]] = [
        [
            _("no VAT rate") if one.rate_percent is None else _("VAT {percent} %").format(percent=one.rate_percent),
            one.count,
            one.before_tax,
            one.tax,
            one.with_tax,
        ]
        for one in found.by_rate
    ]
    rows.append([_("total"), found.count, found.before_tax, found.tax, found.with_tax])
    print_text("")
    print_table([_("priced"), _("machines"), _("before tax"), _("tax"), _("with tax")], rows)


def print_refused(path: Path, found: SiteImport) -> None:
    """The lines of a list that are not taken, each with its reason; of very many the number."""
    refused = found.refused
    for bad in refused[:_MOST_PROBLEMS]:
        print_problem(f"{path}:{bad.line}: {bad.reason}" + (f" ({bad.text[:80]})" if bad.text else ""))
    left = len(refused) - _MOST_PROBLEMS
    if left > 0:
        print_problem(ngettext("… and {count} more line", "… and {count} more lines", left).format(count=left))


def print_preview(options: argparse.Namespace, path: Path, found: SiteImport) -> int:
    """Say what each line would do, and save nothing."""
    if options.json:
        print_json([machine_document(machine) for machine in found.listed])
        print_refused(path, found)
    else:
        print_table(
            [_("line"), _("state"), _("name"), _("address"), _("groups"), *_equipment_headers(), _("reason")],
            [
                [
                    line.line,
                    _(_STATES[line.state]),
                    *(
                        [line.text[:60], "", "", "", "", "", ""]
                        if line.machine is None
                        else [
                            line.machine.name,
                            line.machine.address,
                            ", ".join(line.machine.groups),
                            *_equipment_cells(line.machine),
                        ]
                    ),
                    line.reason,
                ]
                for line in found.lines
            ],
        )
        _print_totals(found.totals)
    print_problem(
        _("{new} new, {changed} changed, {same} as they were, {refused} refused; nothing was saved").format(
            new=found.count(LineState.NEW),
            changed=found.count(LineState.CHANGED),
            same=found.count(LineState.SAME),
            refused=found.count(LineState.REFUSED),
        )
    )
    return FAILED if found.refused else DONE
