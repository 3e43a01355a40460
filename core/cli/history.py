"""`beffroi history series` and `beffroi history export`."""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from typing import Any

from core.cli.moments import duration as duration
from core.cli.moments import moment as moment
from core.cli.output import local_time, print_json, print_problem, print_table, print_text
from core.config import database_location, load_config
from core.errors import StoreError, UsageError
from core.language import _, ngettext
from core.services.export import write_series
from core.store.history import History
from core.times import iso_time


def register(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the group `history`."""
    group = commands.add_parser("history", parents=[common], help=_("list and export what is kept"))
    actions = group.add_subparsers(metavar=_("ACTION"), required=True)

    listed = actions.add_parser("series", parents=[common], help=_("list the series that have values"))
    listed.set_defaults(handler=list_series, empty_document=[])

    export = actions.add_parser(
        "export",
        parents=[common],
        help=_("write series to a file"),
        description=_(
            "Times: an ISO date or time (local unless it names a zone), now, today, yesterday, "
            "or a distance such as -90s, -30m, -1h, -7d."
        ),
    )
    export._negative_number_matcher = re.compile(r"^-\d+[smhdw]?$")  # `--from -1h` is no option
    export.add_argument(
        "--series", action="append", required=True, metavar="NAME", help=_("as `history series` names it; repeatable")
    )
    export.add_argument("--from", dest="start", default="-24h", metavar="T", help=_("first time (default: -24h)"))
    export.add_argument("--to", dest="end", default="now", metavar="T", help=_("time before which it ends"))
    export.add_argument("--step", metavar="S", help=_("one row a step: seconds, or such as 15m, 1h"))
    export.add_argument("-o", "--output", required=True, metavar="FILE", help=_("FILE.csv or FILE.xlsx"))
    export.set_defaults(handler=export_file, empty_document={"file": None, "series": [], "rows": 0})


def list_series(options: argparse.Namespace) -> int:
    """Print all series; none where there is no history yet."""
    location = _location(options)
    if isinstance(location, Path) and not location.exists():
        print_problem(_("{path}: there is no history yet").format(path=location))
        found = []
    else:
        with History.open(location, create=False) as history:
            found = history.series()
        if not found:
            print_problem(
                _("the history holds no value yet; it fills while the window is open, and by status and meter watch")
            )
    if options.json:
        print_json(
            [
                {
                    "name": one.name,
                    "unit": one.unit,
                    "first": iso_time(one.first_s),
                    "last": iso_time(one.last_s),
                    "count": one.count,
                }
                for one in found
            ]
        )
    elif found:
        rows = [(one.name, one.unit or "", local_time(one.first_s), local_time(one.last_s), one.count) for one in found]
        print_table((_("Series"), _("Unit"), _("First"), _("Last"), _("Values")), rows)
    return 0


def export_file(options: argparse.Namespace) -> int:
    """Write the named series to a file."""
    now_s = time.time()
    start_s, end_s = moment(options.start, now_s), moment(options.end, now_s)
    step_s = None if options.step is None else duration(options.step)
    if end_s <= start_s:
        raise UsageError(_("nothing lies between {start} and {end}").format(start=options.start, end=options.end))
    path = Path(options.output)
    with History.open(_location(options), create=False) as history:
        known = {one.name for one in history.series()}
        for name in options.series:
            if name not in known:
                raise StoreError(
                    _("{name} is no series of this history; see: beffroi history series").format(name=name)
                )
        rows = write_series(history, options.series, start_s, end_s, step_s, path)
    if rows == 0:
        print_problem(_("there is no value in that time; the file has a header only"))
    if options.json:
        print_json({"file": str(path), "series": options.series, "rows": rows})
    else:
        print_text(ngettext("{count} row in {path}", "{count} rows in {path}", rows).format(count=rows, path=path))
    return 0


def _location(options: argparse.Namespace) -> Path | str:
    config, warnings = load_config(options.home)
    for warning in warnings:
        print_problem(warning)
    return database_location(config, options.home)
