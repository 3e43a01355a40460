"""What may be done with words: a built-in, a command of the policy, at level raw anything, or nothing.

In this order. A prefix (`Linux:`, `DOS:`, `Powershell:`) says for which system the words are meant; at level raw it
picks a shell too, which gets the line as it was typed. Every refusal names its rule, and the line that would lift it.
"""

from __future__ import annotations

import os
import shlex

from core.agent import builtins
from core.agent.policy import Decision, Policy, level_rule
from core.protocol.messages import ExecStart
from core.records import Level

_PREFIXES = {"linux:": ("linux", "linux"), "dos:": ("dos", "windows"), "powershell:": ("powershell", "windows")}
_SHELL_SYSTEMS = dict(_PREFIXES.values())
_SYSTEM_NAMES = {"linux": "Linux", "windows": "Windows", "darwin": "macOS"}
_SHELLS = {
    "linux": ("/bin/sh", "-c"),
    "dos": ("cmd", "/d", "/s", "/c"),
    "powershell": ("powershell", "-NoProfile", "-NonInteractive", "-Command"),
}
_MEANT_FOR_A_SHELL = frozenset("$`*?[]{}()<>|&;~#%^\n")


def decide(request: ExecStart, level: Level, policy: Policy, platform: str) -> tuple[tuple[str, ...], Decision]:
    """The words without their prefix, and what may be done with them on a machine of this platform."""
    words = request.words
    try:
        shell, words, line = split_prefix(words)
    except ValueError as error:
        return words, Decision(reason="parameter", rule=f"the line cannot be split into words: {error}")
    shell, line = request.shell or shell, request.line or line
    system = _SHELL_SYSTEMS.get(shell or "", platform)
    if system != platform:
        here, asked = (_SYSTEM_NAMES.get(name, name) for name in (platform, system))
        return words, Decision(reason="wrong_os", rule=f"this machine runs {here}, the command is for {asked}")
    if level.rank < Level.RUN.rank:
        return words, Decision(reason="level", rule=level_rule("a command", Level.RUN, level))
    if not words or not words[0]:
        return words, Decision(reason="parameter", rule="there is no command")
    if any("\0" in word for word in words) or "\0" in line:
        return words, Decision(reason="parameter", rule="an argument holds the character NUL")
    is_raw = level.rank >= Level.RAW.rank
    if is_raw and shell is not None and _MEANT_FOR_A_SHELL & set(line):
        return words, Decision(argv=_shell_argv(shell, words, line), is_raw=True)
    needed = builtins.level_of(words)
    if needed is not None:
        if level.rank < needed.rank:
            return words, Decision(reason="level", rule=level_rule(words[0], needed, level))
        return words, Decision(argv=words)
    decision = policy.decide(words, level)
    if decision.is_allowed or decision.reason == "level":
        return words, decision
    misuse = builtins.misuse(words)
    if misuse and (shell is None or not is_raw):
        return words, Decision(reason="parameter", rule=misuse)  # at raw, too: a program of that name has a path
    if is_raw:
        argv = words if shell is None else _shell_argv(shell, words, line)
        return words, Decision(argv=argv, is_raw=True)
    return words, decision


def split_prefix(words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...], str]:
    """The shell that a prefix names (`Linux:`, `DOS:`, `Powershell:`), the words without it, and what a shell gets.

    `Linux: ls`, `Linux:ls -al` in two words and the same in one word mean the same; raises ValueError where that one
    word has an open quote.
    """
    for prefix, (shell, _system) in _PREFIXES.items():
        if words[0].lower().startswith(prefix):
            first = words[0][len(prefix) :].strip()
            if len(words) == 1:
                return shell, tuple(shlex.split(first)), first
            rest = (first, *words[1:]) if first else words[1:]
            return shell, rest, shlex.join(rest)
    return None, words, ""


def _shell_argv(shell: str, words: tuple[str, ...], line: str) -> tuple[str, ...]:
    """The shell and its one line; where a console sent none, the words as they would have been typed."""
    if not line:
        line = shlex.join(words) if os.name == "posix" else " ".join(words)
    return (*_SHELLS[shell], line)
