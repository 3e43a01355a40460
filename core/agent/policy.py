"""Which commands a console may run here: the default ones, and those of `policy.toml`, which its administrator owns.

    defaults = true
    [commands]
    restart = { argv = ["systemctl", "restart", "{unit}"], level = "manage", timeout_s = 60,
                parameters = { unit = { type = "enum", values = ["cups", "nginx"] } } }

(in TOML each on one line). A command is called by its argv as typed, or by its id followed by its parameters in their
order. A placeholder fills exactly one argument: `{x}` once, `{x?}` at most once, `{x*}` any number of times. Nothing is
ever joined, split, globbed or given to a shell; a value is checked by its type alone. A script is pinned by `sha256`.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Any

from msgspec import Struct

from core.errors import ConfigError
from core.language import _
from core.records import Level

LONGEST_TIMEOUT_S = 600.0
_MOST_REPEATED = 16
_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)([?*]?)\}")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@%+=,-]{0,255}\Z")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}\Z")
_TYPES = frozenset({"enum", "int", "word", "path", "host", "pid", "flags"})


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
        real = os.path.realpath(value)
        for root in self.roots:
            if real == root or root == "/" or real.startswith(root.rstrip("/") + "/"):
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
    """A command that may be run."""

    id: str
    argv: tuple[str, ...]
    parameters: dict[str, Parameter] = {}
    os: tuple[str, ...] = ()
    level: Level = Level.RUN
    timeout_s: float = LONGEST_TIMEOUT_S
    sha256: str = ""

    def match(self, words: tuple[str, ...]) -> tuple[str, ...] | str | None:
        """The arguments to run, why a value does not fit, or None where these are other words."""
        found = self._groups(self.argv, words)
        if isinstance(found, list):
            return tuple(argument for group in found for argument in group)
        if words[0] != self.id or self.argv[0] == self.id:
            return found
        holders = tuple(match.group(0) for word in self.argv if (match := _PLACEHOLDER.search(word)))
        values = self._groups(holders, words[1:])
        if not isinstance(values, list):
            return values
        waiting = iter(values)
        arguments: list[str] = []
        for word in self.argv:
            holder = _PLACEHOLDER.search(word)
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
            holder = _PLACEHOLDER.search(expected)
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
    """What the policy says of some words: the arguments to run, or why not."""

    argv: tuple[str, ...] = ()
    command: Command | None = None
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
    """The commands of an agent, the administrator's before the default ones."""

    def __init__(self, commands: tuple[Command, ...] = DEFAULT_COMMANDS, platform: str = "linux") -> None:
        self.commands = commands
        self._platform = platform

    def decide(self, words: tuple[str, ...], level: Level) -> Decision:
        """What of `words` may be run at `level`."""
        refused: Decision | None = None
        for command in self.commands:
            if command.os and self._platform not in command.os:
                continue
            matched = command.match(words)
            if matched is None:
                continue
            if isinstance(matched, str):
                is_called_by_id = words[0] == command.id != command.argv[0]
                line = "" if is_called_by_id else policy_line(words)
                refused = refused or Decision(reason="parameter", rule=f"{command.id}: {matched}", policy_line=line)
            elif level.rank < command.level.rank:
                rule = f"{command.id} needs level {command.level.value}, this console has {level.value}"
                return Decision(reason="level", rule=rule)
            else:
                return Decision(argv=matched, command=command)
        if refused is not None:
            return refused
        rule = f"no command of the policy is {shown_words(words)}"
        return Decision(reason="policy", rule=rule, policy_line=policy_line(words))


def shown_words(words: tuple[str, ...]) -> str:
    """Words as one line that says where each begins and ends."""
    import shlex

    return shlex.join(words)[:1000]


def policy_line(words: tuple[str, ...]) -> str:
    """The line that allows exactly `words`, to be added below `[commands]` in policy.toml; empty where none can."""
    if any(_PLACEHOLDER.search(word) for word in words) or "" in words:
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


def script_refusal(command: Command, program: str) -> str | None:
    """Why a pinned script may not run: its content is not the one whose SHA-256 the policy names."""
    if not command.sha256:
        return None
    try:
        found = hashlib.sha256(Path(program).read_bytes()).hexdigest()
    except OSError as error:
        return f"{program} cannot be read: {error.strerror}"
    return None if found == command.sha256.lower() else f"{program} has SHA-256 {found}, not the one of the policy"


def load_policy(path: Path, platform: str) -> Policy:
    """The policy in `path`, the default one where there is no such file.

    Raises ConfigError, with file and command, where the file can be written by others or says what means nothing: an
    agent does not start with half a policy.
    """
    if not path.exists():
        return Policy(platform=platform)
    import tomllib

    try:
        found = path.stat()
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(_("{path} cannot be read: {reason}").format(path=path, reason=error.strerror)) from error
    if os.name == "posix" and (stat.S_IMODE(found.st_mode) & 0o022 or found.st_uid not in (0, os.getuid())):
        raise ConfigError(
            _("{path} can be written by other users of this machine; try: chmod go-w {path}").format(path=path)
        )
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(_("{path}: {reason}").format(path=path, reason=error)) from error
    commands = []
    for key in document:
        if key not in ("defaults", "commands"):
            raise ConfigError(_("{path}: unknown key {key}").format(path=path, key=key))
    table, with_defaults = document.get("commands", {}), document.get("defaults", True)
    for key, value, kind in (("commands", table, dict), ("defaults", with_defaults, bool)):
        if not isinstance(value, kind):
            raise ConfigError(_("{path}: {key} is of the wrong type").format(path=path, key=key))
    for name, body in table.items():
        try:
            commands.append(_command(name, body))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                _("{path}: command {name}: {reason}").format(path=path, name=name, reason=error)
            ) from error
    return Policy((*commands, *(DEFAULT_COMMANDS if with_defaults else ())), platform)


def _command(name: str, body: Any) -> Command:
    if not isinstance(body, dict) or not isinstance(body.get("parameters", {}), dict):
        raise ValueError(_("it is written as {example}").format(example='x = { argv = ["program", "{p}"], … }'))
    unknown = set(body) - {"argv", "parameters", "os", "level", "timeout_s", "sha256"}
    if unknown:
        raise ValueError(_("unknown key {key}").format(key=min(unknown)))
    argv = _texts(body.get("argv"), "argv")
    parameters = {key: _parameter(key, value) for key, value in body.get("parameters", {}).items()}
    for index, word in enumerate(argv):
        holders = _PLACEHOLDER.findall(word)
        if holders and (index == 0 or len(holders) > 1):
            raise ValueError(_("{word!r}: one placeholder an argument, and none for the program").format(word=word))
        for holder, _repeat in holders:
            if holder not in parameters:
                raise ValueError(_("parameter {name} has no type").format(name=holder))
    timeout_s = body.get("timeout_s", LONGEST_TIMEOUT_S)
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s <= LONGEST_TIMEOUT_S:
        raise ValueError(
            _("timeout_s is {value}; 0 to {most:.0f} are allowed").format(value=timeout_s, most=LONGEST_TIMEOUT_S)
        )
    sha256 = str(body.get("sha256", ""))
    if sha256 and (not re.fullmatch(r"[0-9a-fA-F]{64}", sha256) or not os.path.isabs(argv[0])):
        raise ValueError(_("sha256 has 64 hexadecimal digits and pins an absolute path"))
    systems = tuple(text.lower() for text in _texts(body["os"], "os")) if "os" in body else ()
    level = body.get("level", "run")
    if level not in {item.value for item in Level}:
        known = ", ".join(item.value for item in Level)
        raise ValueError(_("level {level} is not one of {known}").format(level=level, known=known))
    return Command(
        id=name, argv=argv, parameters=parameters, os=systems, level=Level(level), timeout_s=timeout_s, sha256=sha256
    )


def _texts(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise ValueError(_("{key} is not a list of words").format(key=key))
    return tuple(value)


def _parameter(name: str, body: Any) -> Parameter:
    kind = body.get("type") if isinstance(body, dict) else None
    if kind not in _TYPES:
        known = ", ".join(sorted(_TYPES))
        raise ValueError(
            _("parameter {name}: type {kind} is not one of {known}").format(name=name, kind=kind, known=known)
        )
    unknown = set(body) - {"type", "values", "min", "max", "roots", "letters"}
    if unknown:
        raise ValueError(_("parameter {name}: unknown key {key}").format(name=name, key=min(unknown)))
    values = _texts(body.get("values"), "values") if kind == "enum" else ()
    roots = tuple(os.path.realpath(root) for root in _texts(body.get("roots"), "roots")) if kind == "path" else ()
    letters, least, most = body.get("letters", ""), body.get("min", 0), body.get("max", 2**31 - 1)
    if not (isinstance(letters, str) and isinstance(least, int) and isinstance(most, int)) or (
        kind == "flags" and not letters
    ):
        raise ValueError(_("parameter {name}: min and max are whole numbers, letters is a text").format(name=name))
    return Parameter(type=kind, values=values, minimum=least, maximum=most, roots=roots, letters=letters)
