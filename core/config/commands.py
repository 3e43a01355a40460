"""The site's own commands and the saved choices of machines as records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

FILTER = "filter:"
"""How a target names a saved choice of machines (`core.targets`)."""

CommandName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]
FilterName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\s,;!\x00-\x1f]+$")]
Target = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f]+$")]
Line = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"\S")]


class CommandConfig(Struct, frozen=True, kw_only=True):
    """One `[[command]]` of the site's library: a line that people find by its name.

    `group` is a submenu; a `favourite` is a button on the Commands page. With `targets` it is for these machines, else
    for those that its user has chosen; `timeout_s` None leaves the time-out as it is. Several lines are several
    commands, sent one after the other.
    """

    name: CommandName
    line: Line
    group: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00-\x1f]*$")] = ""
    favourite: bool = False
    description: Annotated[str, Meta(max_length=1024)] = ""
    timeout_s: Annotated[float, Meta(ge=1, le=600)] | None = None
    targets: Annotated[tuple[Target, ...], Meta(max_length=1000)] = ()


class FilterConfig(Struct, frozen=True, kw_only=True):
    """One `[[filter]]`: targets saved under a name, meant by `filter:NAME`; what it means changes with the machines."""

    name: FilterName
    targets: Annotated[tuple[Target, ...], Meta(min_length=1, max_length=1000)]


def circles(filters: Sequence[FilterConfig]) -> Iterator[str]:
    """Names of filters that mean themselves, directly or by another."""
    named = {one.name: tuple(_filters_in(one.targets)) for one in filters}
    for name in named:
        if name in _reached(name, named):
            yield name


def _reached(start: str, named: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Names of all filters that `start` leads to."""
    reached: set[str] = set()
    waiting = list(named[start])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += named.get(name, ())
    return reached


def _filters_in(targets: Sequence[str]) -> Iterator[str]:
    for target in targets:
        bare = target.removeprefix("!")
        if bare.startswith(FILTER):
            yield bare.removeprefix(FILTER)
