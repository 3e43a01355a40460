"""`policy.toml`, read and read again: what the administrator of a machine allows there.

The file is the truth. It is looked at when a command is asked for and twice a second; what has changed counts from then
on, for commands that wait too. One that means nothing, or that others can write, allows nothing at all: half a policy
would be one that nobody wrote.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from pathlib import Path
from typing import Any

from core.agent.policy import DEFAULT_COMMANDS, LONGEST_TIMEOUT_S, PLACEHOLDER, Command, Parameter, Policy
from core.errors import ConfigError
from core.language import _
from core.protocol.messages import plain_text
from core.records import Level

log = logging.getLogger("beffroi.agent")

_LARGEST_FILE_OCTETS = 1 << 20
_TYPES = frozenset({"enum", "int", "word", "path", "host", "pid", "flags"})
_KEYS = frozenset({"argv", "parameters", "os", "level", "timeout_s", "sha256", "description", "leaves_daemons"})


class PolicyFile:
    """The policy of an agent as its file says now."""

    def __init__(self, path: Path, platform: str) -> None:
        self._path = path
        self._platform = platform
        self._stamp: tuple[object, ...] | None = (path,)  # no file has it
        self.policy = Policy((), platform, problem="it was not read")

    def read(self) -> Policy:
        """The policy as an agent starts with it; raises ConfigError where it cannot be used."""
        self._stamp = _stamp(self._path)
        self.policy = load_policy(self._path, self._platform)
        return self.policy

    def refresh(self) -> bool:
        """Read it again where it has changed; True when it had. One that cannot be used allows nothing."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return False
        try:
            self.read()
            log.info("the policy has changed: %d commands", len(self.policy.commands))
        except ConfigError as error:
            log.error("the policy cannot be used, nothing but built-ins is allowed: %s", error)
            self.policy = Policy((), self._platform, problem=plain_text(str(error), 1000))
        self._stamp = stamp
        return True


def _stamp(path: Path) -> tuple[object, ...] | None:
    """Whatever changes with content, owner and mode; None where there is no such file."""
    try:
        found, folder = path.stat(), path.resolve().parent.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, folder.st_mode, folder.st_uid


def load_policy(path: Path, platform: str) -> Policy:
    """The policy in `path`, the default one where there is no such file.

    Raises ConfigError, with file and command, where the file can be written by others or says what means nothing.
    """
    try:
        # A pipe in its place must not make the agent wait.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ConfigError(_("{path} is no file").format(path=path))
            _refuse_writable(path, found)
            content = stream.read(_LARGEST_FILE_OCTETS + 1)
    except FileNotFoundError:
        if path.is_symlink():
            raise ConfigError(_("{path} leads nowhere").format(path=path)) from None
        return Policy(platform=platform)
    except OSError as error:
        raise ConfigError(_("{path} cannot be read: {reason}").format(path=path, reason=error.strerror)) from error
    if len(content) > _LARGEST_FILE_OCTETS:
        raise ConfigError(_("{path} is larger than a policy can be").format(path=path))
    import tomllib  # an agent without a policy.toml stays smaller

    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
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


def _refuse_writable(path: Path, found: os.stat_result) -> None:
    """Raise ConfigError where another user can write the file, or put another one in its place."""
    if os.name != "posix":
        return
    trusted = (0, os.getuid())
    if stat.S_IMODE(found.st_mode) & 0o022 or found.st_uid not in trusted:
        raise ConfigError(
            _("{path} can be written by other users of this machine; try: chmod go-w {path}").format(path=path)
        )
    folder = path.resolve().parent
    held = folder.stat()
    if (stat.S_IMODE(held.st_mode) & 0o022 and not held.st_mode & stat.S_ISVTX) or held.st_uid not in trusted:
        raise ConfigError(
            _("{path} can be replaced by other users of this machine; try: chmod go-w {folder}").format(
                path=path, folder=folder
            )
        )


def _command(name: str, body: Any) -> Command:
    if not isinstance(body, dict) or not isinstance(body.get("parameters", {}), dict):
        raise ValueError(_("it is written as {example}").format(example='x = { argv = ["program", "{p}"], … }'))
    unknown = set(body) - _KEYS
    if unknown:
        raise ValueError(_("unknown key {key}").format(key=min(unknown)))
    argv = _texts(body.get("argv"), "argv")
    parameters = {key: _parameter(key, value) for key, value in body.get("parameters", {}).items()}
    for index, word in enumerate(argv):
        holders = PLACEHOLDER.findall(word)
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
    description, leaves_daemons = body.get("description", ""), body.get("leaves_daemons", False)
    if not isinstance(description, str) or not isinstance(leaves_daemons, bool):
        raise ValueError(_("description is a text, leaves_daemons is true or false"))
    return Command(
        id=name,
        argv=argv,
        parameters=parameters,
        os=systems,
        level=Level(level),
        timeout_s=timeout_s,
        sha256=sha256.lower(),
        description=plain_text(description),
        leaves_daemons=leaves_daemons,
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
