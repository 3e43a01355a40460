"""What the History page shows, kept for the next start."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from PyQt5.QtCore import QByteArray


@dataclass(slots=True)
class KeptState:
    """Series as (name, unit, is hidden); `span` where the time stands still; `chooser` None where nobody chose."""

    view: str = ""
    series: list[tuple[str, str, bool]] = field(default_factory=list)
    mode: str = "day"
    span: tuple[float, float] | None = None
    axes: dict[str, tuple[float, float]] = field(default_factory=dict)
    kinds: list[str] | None = None
    chooser: bool | None = None
    split: list[int] = field(default_factory=list)

    def packed(self) -> QByteArray:
        """As it is kept."""
        return QByteArray(json.dumps(asdict(self)).encode())


def unpacked(state: QByteArray) -> KeptState | None:
    """What `packed` gave; None for anything else."""
    try:
        kept = json.loads(bytes(state).decode())
        span = kept["span"]
        return KeptState(
            view=str(kept["view"]),
            series=[(str(name), str(unit), bool(is_hidden)) for name, unit, is_hidden in kept["series"]],
            mode=str(kept["mode"]),
            span=None if span is None else (float(span[0]), float(span[1])),
            axes={str(unit): (float(low), float(high)) for unit, (low, high) in kept["axes"].items()},
            kinds=None if kept["kinds"] is None else [str(kind) for kind in kept["kinds"]],
            chooser=None if kept["chooser"] is None else bool(kept["chooser"]),
            split=[int(size) for size in kept["split"]],
        )
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None
