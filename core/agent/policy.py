"""Which commands a console may run here: the default ones, and those of `policy.toml`, which its administrator owns.

    defaults = true
    [commands]
    restart = { argv = ["systemctl", "restart", "{unit}"], level = "manage", timeout_s = 60,
                description = "restart a service", parameters = { unit = { type = "enum", values = ["cups"] } } }

(in TOML each on one line). A command is called by its argv as typed, or by its id followed by its parameters in their
order. A placeholder fills exactly one argument: `{x}` once, `{x?}` at most once, `{x*}` any number of times. Nothing is
ever joined, split, globbed or given to a shell; a value is checked by its type alone. A script is pinned by `sha256`.
"""

from __future__ import annotations

import os
import re

from msgspec import Struct

from core.access_records import AllowedCommand, AllowedParameter
from core.records import Level

LONGEST_TIMEOUT_S = 600.0
_MOST_REPEATED = 16
PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)([?*]?)\}")
_SHELL_WORDS = frozenset(("|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1"))
"""Not a list of what is forbidden: what stands among the words is passed on as it is, if a command allows it."""

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@%+=,-]{0,255}\Z")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}\Z")


class Parameter(Struct, frozen=True, kw_only=True):
    """A typed value of a command. `refusal` says why a value does not fit, None where it does."""

    type: str
    values: tuple[str, ...] = ()
    minimum: int = 0
    maximum: int = 2**31 - 1
    roots: tuple[str, ...] = ()
    letters: str = ""

    def refusal(self, value: str) -> str | None:
        """Why `value` may not stand here."""
        check = getattr(self, f"_refuse_{self.type}")
        reason: str | None = check(value)
        return reason

    def _refuse_enum(self, value: str) -> str | None:
        return None if value in self.values else "is not one of " + ", ".join(self.values)

    def _refuse_int(self, value: str) -> str | None:
        is_number = re.fullmatch(r"-?[0-9]{1,18}", value) is not None
        fits = is_number and self.minimum <= int(value) <= self.maximum
        return None if fits else f"is not a whole number from {self.minimum} to {self.maximum}"

    def _refuse_word(self, value: str) -> str | None:
        return None if _WORD.match(value) else "is not a plain word"

    def _refuse_path(self, value: str) -> str | None:
        if not value.startswith("/") or "\0" in value:
            return "is not an absolute path"
        if ".." in value.split("/"):
            return "holds '..'"
        if "/" in self.roots:
            return None  # nor is anything looked for: a file system that hangs would hold the agent up
        real = os.path.realpath(value)
        for root in self.roots:
            if real == root or real.startswith(root.rstrip("/") + "/"):
                return None
        return "is not below " + ", ".join(self.roots)

    def _refuse_host(self, value: str) -> str | None:
        is_name = len(value) <= 253 and all(_LABEL.match(label) for label in value.removesuffix(".").split("."))
        is_ipv6 = ":" in value and _IPV6.match(value) is not None
        return None if is_name or is_ipv6 else "is not a host name or address"

    def _refuse_pid(self, value: str) -> str | None:
        is_pid = re.fullmatch(r"[1-9][0-9]{0,9}", value) is not None
        return None if is_pid and int(value) > 1 else "is not the number of a process above 1"

    def _refuse_flags(self, value: str) -> str | None:
        if re.fullmatch(r"-[A-Za-z0-9]+", value) and set(value[1:]) <= set(self.letters):
            return None
        return f"is not of the options -{self.letters}"


class Command(Struct, frozen=True, kw_only=True):
    """A command that may be run; what it leaves behind is killed with it, unless `leaves_daemons`."""

    id: str
    argv: tuple[str, ...]
    parameters: dict[str, Parameter] = {}
    os: tuple[str, ...] = ()
    level: Level = Level.RUN
    timeout_s: float = LONGEST_TIMEOUT_S
    sha256: str = ""
    description: str = ""
    leaves_daemons: bool = False

    def told(self) -> AllowedCommand:
        """What consoles are told of it."""
        parameters = []
        for word in self.argv:
            holder = PLACEHOLDER.search(word)
            if holder is None:
                continue
            kind = self.parameters[holder.group(1)]
            is_int = kind.type == "int"
            parameters.append(
                AllowedParameter(
                    name=holder.group(1),
                    type=kind.type,
                    values=kind.values,
                    minimum=kind.minimum if is_int else None,
                    maximum=kind.maximum if is_int else None,
                    roots=kind.roots,
                    letters=kind.letters,
                    is_optional=holder.group(2) != "",
                    is_repeated=holder.group(2) == "*",
                )
            )
        return AllowedCommand(
            id=self.id,
            argv=self.argv,
            parameters=tuple(parameters),
            level=self.level,
            timeout_s=self.timeout_s,
            description=self.description,
            is_default=self in DEFAULT_COMMANDS,
            is_pinned=bool(self.sha256),
        )

    def match(self, words: tuple[str, ...]) -> tuple[str, ...] | str | None:
        """The arguments to run, why a value does not fit, or None where these are other words."""
        found = self._groups(self.argv, words)
        if isinstance(found, list):
            return tuple(argument for group in found for argument in group)
        if words[0] != self.id or self.argv[0] == self.id:
            return found
        holders = tuple(match.group(0) for word in self.argv if (match := PLACEHOLDER.search(word)))
        values = self._groups(holders, words[1:])
        if not isinstance(values, list):
            return values
        waiting = iter(values)
        arguments: list[str] = []
        for word in self.argv:
            holder = PLACEHOLDER.search(word)
            if holder is None:
                arguments.append(word)
            else:
                arguments += [word[: holder.start()] + value + word[holder.end() :] for value in next(waiting)]
        return tuple(arguments)

    def _groups(self, pattern: tuple[str, ...], words: tuple[str, ...]) -> list[list[str]] | str | None:
        """The words that each word of `pattern` takes, from the left and as many as it may."""
        groups: list[list[str]] = []
        refused: str | None = None
        position = 0
        for expected in pattern:
            holder = PLACEHOLDER.search(expected)
            if holder is None:
                if position >= len(words) or words[position] != expected:
                    return refused
                groups.append([expected])
                position += 1
                continue
            most = _MOST_REPEATED if holder.group(2) == "*" else 1
            taken: list[str] = []
            before, after = expected[: holder.start()], expected[holder.end() :]
            while len(taken) < most and position < len(words):
                word = words[position]
                if not (word.startswith(before) and word.endswith(after) and len(word) >= len(before) + len(after)):
                    break
                reason = self.parameters[holder.group(1)].refusal(word[len(before) : len(word) - len(after)])
                if reason is not None:
                    refused = f"{word!r} {reason}"
                    break
                taken.append(word)
                position += 1
            if not taken and not holder.group(2):
                return refused
            groups.append(taken)
        if position < len(words):
            return refused or f"{words[position]!r} is one word too many"
        return groups


class Decision(Struct, frozen=True, kw_only=True):
    """What may be done with some words: the arguments to run, or why not.

    Without a `command` they are a built-in's, or, where `is_raw`, a program that no policy names.
    """

    argv: tuple[str, ...] = ()
    command: Command | None = None
    is_raw: bool = False
    reason: str = ""
    rule: str = ""
    policy_line: str = ""

    @property
    def is_allowed(self) -> bool:
        """True when `argv` may be run."""
        return not self.reason


def _flags(letters: str) -> Parameter:
    return Parameter(type="flags", letters=letters)


_ANYWHERE = Parameter(type="path", roots=("/",))
_WORDS = Parameter(type="word")
_LS = {"flags": _flags("aAbBcCdfFgGhHiIklLmnNopqQrRsStTuUvxXZ1"), "path": _ANYWHERE}
_PS_BSD = ("a", "ax", "aux", "auxf", "auxww", "axf", "faux", "x", "-ax", "-aux", "-auxf", "-auxww")
_POSIX = ("linux", "darwin")

DEFAULT_COMMANDS = (
    Command(id="ls", argv=("ls", "{flags*}", "{path*}"), parameters=_LS, os=_POSIX),
    Command(id="dir", argv=("dir", "{flags*}", "{path*}"), parameters=_LS, os=_POSIX),
    # Not u, x, T, H: beside e, ps reads them as BSD options and shows the environment of processes, with its secrets.
    Command(id="ps", argv=("ps", "{options*}"), os=_POSIX, parameters={"options": _flags("AadefFjlLNw")}),
    Command(
        id="ps-bsd",
        argv=("ps", "{options}"),
        os=_POSIX,
        parameters={"options": Parameter(type="enum", values=_PS_BSD)},
    ),
    Command(id="Get-Process", argv=("Get-Process",)),
    Command(id="uname", argv=("uname", "{flags*}"), parameters={"flags": _flags("asnrvmpio")}, os=_POSIX),
    Command(id="hostname", argv=("hostname", "{flags?}"), parameters={"flags": _flags("fisIAdy")}, os=_POSIX),
    Command(id="hostname-windows", argv=("hostname",), os=("windows",)),
    Command(
        id="ip",
        argv=("ip", "{options*}", "{object}", "{verb?}"),
        os=("linux",),
        parameters={
            "options": Parameter(type="enum", values=("-4", "-6", "-br", "-brief", "-s")),
            "object": Parameter(type="enum", values=("a", "addr", "address", "r", "route")),
            "verb": Parameter(type="enum", values=("show", "list")),
        },
    ),
    Command(
        id="ipconfig",
        argv=("ipconfig", "{all?}"),
        parameters={"all": Parameter(type="enum", values=("/all",))},
    ),
    Command(id="df", argv=("df", "{flags*}"), parameters={"flags": _flags("ahHiklmPT")}, os=_POSIX),
    Command(id="free", argv=("free", "{flags*}"), parameters={"flags": _flags("bkmghltw")}, os=("linux",)),
    Command(id="uptime", argv=("uptime", "{flags?}"), parameters={"flags": _flags("ps")}, os=_POSIX),
    Command(id="whoami", argv=("whoami",)),
    Command(id="id", argv=("id", "{flags?}", "{user?}"), parameters={"flags": _flags("gGnru"), "user": _WORDS}),
    Command(id="date", argv=("date", "{flags?}"), parameters={"flags": _flags("uR")}, os=_POSIX),
    Command(id="true", argv=("true",)),
)
"""Read-only commands that a course and a technician type; each option is one that only reads."""


class Policy:
    """The commands of an agent, the administrator's before the default ones.

    One with a `problem`, a file that cannot be used, allows nothing and says why.
    """

    def __init__(
        self, commands: tuple[Command, ...] = DEFAULT_COMMANDS, platform: str = "linux", problem: str = ""
    ) -> None:
        self.commands = commands
        self.problem = problem
        self._platform = platform

    def allowed(self, level: Level) -> tuple[Command, ...]:
        """The commands of this platform that `level` may run."""
        return tuple(
            command
            for command in self.commands
            if command.level.rank <= level.rank and (not command.os or self._platform in command.os)
        )

    def decide(self, words: tuple[str, ...], level: Level) -> Decision:
        """What of `words` may be run at `level`."""
        if self.problem:
            rule = f"the policy cannot be used, only built-ins are answered until it is mended: {self.problem}"
            return Decision(reason="policy", rule=rule)
        refused: Decision | None = None
        for command in self.commands:
            if command.os and self._platform not in command.os:
                continue
            matched = command.match(words)
            if matched is None:
                continue
            if isinstance(matched, str):
                is_called_by_id = words[0] == command.id != command.argv[0]
                line = "" if is_called_by_id or is_for_shell(words) else policy_line(words)
                rule = f"{command.id}: {matched}{_shell_rule(words)}"
                refused = refused or Decision(reason="parameter", rule=rule, policy_line=line)
            elif level.rank < command.level.rank:
                return Decision(reason="level", rule=level_rule(command.id, command.level, level))
            else:
                return Decision(argv=matched, command=command)
        if refused is not None:
            return refused
        rule = f"no command of the policy is {shown_words(words)}{_shell_rule(words)}"
        line = "" if is_for_shell(words) else policy_line(words)
        return Decision(reason="policy", rule=rule, policy_line=line)


def level_rule(what: str, needed: Level, held: Level) -> str:
    """Why a console below the level of `what` may not run it, and where its administrator can say otherwise."""
    return (
        f"{what} needs level {needed.value}, this console has {held.value}; "
        f"level={needed.value} in authorized_consoles and max_level in config.toml would allow it"
    )


def is_for_shell(words: tuple[str, ...]) -> bool:
    """Whether words are such as only a shell joins: a line that allows them would not do what is meant."""
    return any(word in _SHELL_WORDS or (len(word) > 1 and word.endswith(";")) for word in words)


def _shell_rule(words: tuple[str, ...]) -> str:
    if not is_for_shell(words):
        return ""
    return "; pipes and redirections are for a shell, which takes level raw and a prefix such as Linux:"


def shown_words(words: tuple[str, ...]) -> str:
    """Words as one line that says where each begins and ends."""
    import shlex

    return shlex.join(words)[:1000]


def policy_line(words: tuple[str, ...]) -> str:
    """The line that allows exactly `words`, to be added below `[commands]` in policy.toml; empty where none can."""
    if any(PLACEHOLDER.search(word) for word in words) or "" in words:
        return ""
    name = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")[:40] or "command"
    quoted = ", ".join(_toml_string(word) for word in words)
    line = f"{name} = {{ argv = [{quoted}] }}"
    return line if len(line) <= 4096 else ""


def _toml_string(text: str) -> str:
    escaped = "".join(
        f"\\u{ord(symbol):04x}" if ord(symbol) < 32 or ord(symbol) == 127 else symbol
        for symbol in text.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'
