"""What a console may do on a machine, and who else may: as its agent tells it.

Frozen, like `core.records`, and as small as an agent needs them. What an agent says here is untrusted like all it says.
"""

from __future__ import annotations

from msgspec import Struct

from core.records import Level


class AllowedParameter(Struct, frozen=True, kw_only=True):
    """A place to be filled in a command of the policy.

    `type` is `enum`, `int`, `word`, `path`, `host`, `pid` or `flags`; `values` are the choices of an enum, `roots` the
    folders of a path, `letters` those of flags. One with `is_repeated` takes several values, each its own argument.
    """

    name: str
    type: str
    values: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    roots: tuple[str, ...] = ()
    letters: str = ""
    is_optional: bool = False
    is_repeated: bool = False


class AllowedCommand(Struct, frozen=True, kw_only=True):
    """A command that the policy of a machine allows at `level`: called by its id, then its values in their order.

    `argv` is as in policy.toml, with `{name}`, `{name?}` and `{name*}` in place; `is_default` where Beffroi brings it.
    """

    id: str
    argv: tuple[str, ...]
    parameters: tuple[AllowedParameter, ...] = ()
    level: Level = Level.RUN
    timeout_s: float = 600.0
    description: str = ""
    is_default: bool = False
    is_pinned: bool = False


class AllowedCommands(Struct, frozen=True, kw_only=True):
    """What this console may run on a machine at `level`; `os` is `linux`, `windows` or `darwin`."""

    machine: str
    time_s: float
    level: Level
    os: str
    commands: tuple[AllowedCommand, ...]


class TrustedConsole(Struct, frozen=True, kw_only=True):
    """A console that an agent trusts: a line of its `authorized_consoles`.

    `expires` is the last day, `YYYY-MM-DD`; `admitted_by` the fingerprint of the console that let it in, None where the
    agent's administrator did. `is_own` marks the console that asks, `may_change` one that it may revoke or restrict.
    """

    fingerprint: str
    name: str
    level: Level
    networks: tuple[str, ...] = ()
    expires: str | None = None
    admitted_by: str | None = None
    is_own: bool = False
    may_change: bool = False
    is_online: bool = False


class TrustedConsoles(Struct, frozen=True, kw_only=True):
    """All consoles that the agent of a machine trusts; `may_admit` where the one that asks may let another in."""

    machine: str
    time_s: float
    consoles: tuple[TrustedConsole, ...]
    may_admit: bool = False
