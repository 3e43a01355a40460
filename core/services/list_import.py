"""What a list would change in the machines known: each line new, changed, as it was or refused; nothing saved yet."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from msgspec import Struct, structs

from core.equipment import Totals, totals
from core.errors import ConfigError, UsageError
from core.language import _
from core.records import Machine
from core.services.machine_lists import Listing, read_listing


class LineState(Enum):
    """What becomes of a line of a list."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    REFUSED = "refused"


class ImportLine(Struct, frozen=True, kw_only=True):
    """One line (of json: an entry; of xlsx: a row): its machine as it will be, or its text and why it is refused."""

    line: int
    state: LineState
    machine: Machine | None = None
    text: str = ""
    reason: str = ""


class SiteImport(Struct, frozen=True, kw_only=True):
    """What a file holds beside the machines known: its lines in their order, and what all machines then add up to."""

    lines: tuple[ImportLine, ...]
    totals: Totals

    @property
    def machines(self) -> list[Machine]:
        """The machines to be saved: the new ones and the changed ones."""
        return [
            line.machine
            for line in self.lines
            if line.machine is not None and line.state in (LineState.NEW, LineState.CHANGED)
        ]

    @property
    def listed(self) -> list[Machine]:
        """All machines of the list that were not refused."""
        return [line.machine for line in self.lines if line.machine is not None and line.state is not LineState.REFUSED]

    @property
    def refused(self) -> list[ImportLine]:
        """The lines that are not taken."""
        return [line for line in self.lines if line.state is LineState.REFUSED]

    def count(self, state: LineState) -> int:
        """How many lines are in that state."""
        return sum(line.state is state for line in self.lines)


def import_site(path: Path, known: Sequence[Machine], most: int) -> SiteImport:
    """What the file at `path` would change beside `known`, of which there may be `most`.

    Raises ConfigError where it cannot be read or holds nothing.
    """
    listing = read_listing(path)
    if not listing.machines and not listing.errors:
        raise ConfigError(_("{path} has no machine in it").format(path=path))
    return planned(listing, known, most)


def planned(listing: Listing, known: Sequence[Machine], most: int) -> SiteImport:
    """The same for a list that is read.

    A known machine keeps its certificate and takes groups, notes and equipment of the list, where they say anything;
    its address never changes silently.
    """
    by_name = {machine.name: machine for machine in known}
    by_address = {(machine.host.casefold(), machine.port): machine.name for machine in known}
    after = dict(by_name)
    lines = [
        ImportLine(line=error.line, state=LineState.REFUSED, text=error.text, reason=error.reason)
        for error in listing.errors
    ]
    for machine, line in zip(listing.machines, listing.lines, strict=True):
        present = by_name.get(machine.name)
        holder = by_address.get((machine.host.casefold(), machine.port))
        reason, state = "", LineState.NEW
        if present is None and holder is not None:
            reason = _("{address} is already known as {name}").format(address=machine.address, name=holder)
        elif present is None and len(after) >= most:
            reason = full_text(most)
        elif present is not None and present.address.casefold() != machine.address.casefold():
            reason = _("{name} is already known at {address}; remove it first to move it").format(
                name=machine.name, address=present.address
            )
        elif present is not None:
            machine = joined(present, machine)
            state = LineState.SAME if machine == present else LineState.CHANGED
        if reason:
            state = LineState.REFUSED
        else:
            after[machine.name] = machine
        text = f"{machine.name}, {machine.address}" if reason else ""
        lines.append(ImportLine(line=line, state=state, machine=machine, text=text, reason=reason))
    lines.sort(key=lambda entry: entry.line)
    return SiteImport(lines=tuple(lines), totals=totals(after.values()))


def check_room_for_one(count: int, most: int) -> None:
    """Raise UsageError where `count` machines are already the most there may be."""
    if count >= most:
        raise UsageError(full_text(most))


def full_text(most: int) -> str:
    """Why no machine is added any more."""
    return _("the list takes at most {count} machines; raise max under [machines] in config.toml").format(count=most)


def joined(present: Machine, listed: Machine) -> Machine:
    """A known machine with what a list says of it; an empty field of the list leaves what is there."""
    has_price = listed.price_before_tax is not None
    return structs.replace(
        present,
        groups=listed.groups or present.groups,
        notes=listed.notes or present.notes,
        reference=listed.reference or present.reference,
        price_before_tax=listed.price_before_tax if has_price else present.price_before_tax,
        vat_rate_percent=listed.vat_rate_percent or present.vat_rate_percent,
        tags=listed.tags or present.tags,
    )
