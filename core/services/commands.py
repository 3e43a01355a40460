"""One command on one machine, as the console follows it; words, texts and audit lines of commands.

No I/O here: `core.services.machine_watch` speaks with the agent, `core.services.agent_poller` fans out.
"""

from __future__ import annotations

import codecs
import hashlib
import re
import secrets
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from core.errors import UsageError
from core.language import _
from core.protocol.messages import ExecDenied, ExecExit, plain_text
from core.records import CommandPlace, CommandRequest, CommandResult, CommandState, line_of
from core.services.run_share import SURE_OCTETS, RunShare

Shell = Literal["linux", "dos", "powershell"]

LONGEST_TIMEOUT_S = 600.0
MOST_OCTETS = 2 << 20
"""Octets of output of one machine that are kept, whatever its agent sends; an honest one sends half of it.

All machines of a run together have `core.services.run_share.RUN_OCTETS`.
"""
CREDIT_STEP = 32 * 1024
"""Octets taken in before the agent is given credit for as many more."""

_PREFIX = re.compile(r"(linux|dos|powershell):\s*(.*)", re.IGNORECASE | re.DOTALL)
_LONGEST_COMMAND = 64 * 1024
_BIDIRECTIONAL = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_STRIPPED = dict.fromkeys(
    [code for code in (*range(0x20), *range(0x7F, 0xA0), *_BIDIRECTIONAL) if chr(code) not in "\n\t"]
)
_STATES = {
    "ok": CommandState.OK,
    "failed": CommandState.FAILED,
    "timeout": CommandState.TIMEOUT,
    "cancelled": CommandState.CANCELLED,
}


def new_request(
    words: Sequence[str], machines: Iterable[str], timeout_s: float, operator: str, now_s: float, window: int = 0
) -> CommandRequest:
    """A request with an id of its own; raises UsageError where words, time or window mean nothing.

    What a shell is to get, after a prefix, comes as it was typed where the whole line is one word.
    """
    split_prefix(words)
    if window < 0:
        raise UsageError(_("the number of machines at once is 1 or more, or 0 for all of them"))
    if not 0 < timeout_s <= LONGEST_TIMEOUT_S:
        raise UsageError(
            _("the time for a command is above 0 s and at most {seconds:.0f} s").format(seconds=LONGEST_TIMEOUT_S)
        )
    return CommandRequest(
        id=secrets.token_hex(12),
        words=tuple(words),
        machines=tuple(dict.fromkeys(machines)),
        timeout_s=timeout_s,
        operator=operator,
        time_s=now_s,
        window=window,
    )


def shell_line(words: Sequence[str]) -> str:
    """The text after a prefix, as a shell is to get it; "" without a prefix.

    One word is taken as it was typed; several are joined, those with spaces in them in quotes.
    """
    found = _PREFIX.fullmatch(words[0]) if words else None
    if found is None:
        return ""
    if len(words) == 1:
        return found[2].rstrip()
    rest = line_of(words[1:])
    return f"{found[2]} {rest}" if found[2] else rest


def split_prefix(words: Sequence[str]) -> tuple[Shell | None, tuple[str, ...]]:
    """Which kind of machine the words are meant for (`Linux:`, `DOS:`, `Powershell:`), and the words themselves.

    A whole command may stand in one word after the prefix. Raises UsageError where nothing is left to run.
    """
    if sum(len(word) for word in words) > _LONGEST_COMMAND or len(words) > 256 or any(len(w) > 4096 for w in words):
        raise UsageError(_("the command is too long"))
    if any("\ud800" <= letter <= "\udfff" for word in words for letter in word):
        raise UsageError(_("a command is text in UTF-8, this one has other bytes"))
    if any("\0" in word for word in words):
        raise UsageError(_("a command cannot hold a zero byte"))
    shell: Shell | None = None
    rest = tuple(words)
    found = _PREFIX.fullmatch(words[0]) if words else None
    if found is not None:
        shell = _shell(found[1])
        first = found[2]
        rest = (_split(first, shell) if len(words) == 1 else ((first,) if first else ())) + tuple(words[1:])
    if not rest or not rest[0].strip():
        raise UsageError(_("there is no command to run"))
    return shell, rest


class Output:
    """Text of one stream of output as it comes: broken UTF-8 becomes U+FFFD, control characters go."""

    __slots__ = ("_decoder", "_parts", "length", "published")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parts: list[str] = []
        self.length = 0
        self.published = 0

    def take(self, content: bytes, is_end: bool = False) -> str:
        """The part of the text that nobody has seen yet."""
        text = self._decoder.decode(content, is_end).translate(_STRIPPED)
        self._parts.append(text)
        start, self.length = self.length, self.length + len(text)
        unseen = text[max(0, self.published - start) :]
        self.published = max(self.published, self.length)
        return unseen

    def restart(self) -> None:
        """The same output comes once more from its first octet: what was published stays so."""
        self._decoder.reset()
        self._parts.clear()
        self.length = 0

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self._parts)


class Execution:
    """Where a command stands on one machine; `on_result` is told once, and once more when a lost result is fetched.

    `deadline_s` is by the loop's clock, None while the agent keeps it in its queue; `losses` counts the links that
    broke in a row before the agent had accepted it, `ends_by_s` is when a command that was begun is over in any case.
    """

    __slots__ = (
        "_digest", "_is_full", "_kept", "_octets", "_on_output", "_on_over", "_on_result", "_on_step", "_place",
        "_share", "_shared", "_uncredited", "deadline_s", "ends_by_s", "is_accepted", "is_cancelled", "is_ended",
        "is_queued", "is_sent", "is_told", "losses", "lost_at_s", "machine", "outputs", "request", "result", "run_id",
        "shell", "told_at_s", "words",
    )  # fmt: skip

    def __init__(
        self,
        request: CommandRequest,
        machine: str,
        on_output: Callable[[Execution, int, str], None],
        on_result: Callable[[Execution, CommandResult], None],
        on_step: Callable[[Execution, CommandPlace], None] | None = None,
        on_over: Callable[[Execution], None] | None = None,
        share: RunShare | None = None,
    ) -> None:
        self.request = request
        self.machine = machine
        self.shell, self.words = split_prefix(request.words)
        self.run_id = ""
        self.deadline_s: float | None = None
        self.lost_at_s: float | None = None
        self.losses = 0
        self.ends_by_s: float | None = None
        self.told_at_s: float | None = None
        self.is_accepted = self.is_cancelled = self.is_ended = self.is_queued = self.is_sent = self.is_told = False
        self.result: CommandResult | None = None
        self.outputs = {1: Output(), 2: Output()}
        self._on_output = on_output
        self._on_result = on_result
        self._on_step = on_step
        self._on_over = on_over
        self._place: CommandPlace | None = None
        self._share = share or RunShare()
        self._octets = self._uncredited = self._kept = self._shared = 0
        self._is_full = False
        self._digest = hashlib.sha256()

    def restart(self) -> None:
        """The agent sends the output from its first octet."""
        for output in self.outputs.values():
            output.restart()
        self._share.give_room_back(self._shared)
        self._octets = self._uncredited = self._kept = self._shared = 0
        self._is_full = False
        self._digest = hashlib.sha256()

    def step(self, place: CommandPlace) -> None:
        """It has come so far, which is told once."""
        if place is not self._place and not self.is_told:
            self._place = place
            if self._on_step is not None:
                self._on_step(self, place)

    def over(self) -> None:
        """Nothing more will be learned of it."""
        if self._on_over is not None:
            self._on_over(self)

    def take(self, fd: int, content: bytes) -> int:
        """Take output in; the credit to give to the agent now, mostly 0."""
        self._octets += len(content)
        self._digest.update(content)
        kept = self._room_for(len(content))
        if kept:
            text = self.outputs[fd].take(content[:kept])
            if text and not self.is_told:
                self._on_output(self, fd, text)
        self._uncredited += len(content)
        if self._uncredited < CREDIT_STEP:
            return 0
        credit, self._uncredited = self._uncredited, 0
        return credit

    def _room_for(self, octets: int) -> int:
        """How many of so many more octets are kept: once some are not, none is, lest there are holes."""
        if self._is_full:
            return 0
        sure = max(0, min(octets, SURE_OCTETS - self._kept))
        rest = min(octets - sure, MOST_OCTETS - self._kept - sure)
        shared = self._share.take_room(rest) if rest > 0 else 0
        self._shared += shared
        self._kept += sure + shared
        self._is_full = sure + shared < octets
        return sure + shared

    def end(self, message: ExecExit) -> None:
        """The agent says how it ended."""
        self.is_ended = True
        for fd, output in self.outputs.items():
            text = output.take(b"", is_end=True)
            if text and not self.is_told:
                self._on_output(self, fd, text)
        words: str | None = plain_text(message.message, 4096) or None
        if message.state == "timeout":  # its agent says so too, in English
            seconds = min(self.request.timeout_s, round(message.duration_s, 1))
            words = _("ended by the agent after {seconds:g} s").format(seconds=seconds)
        self.tell(
            CommandResult(
                machine=self.machine,
                state=_STATES[message.state],
                exit_status=message.exit_status,
                stdout=self.outputs[1].text,
                stderr=self.outputs[2].text,
                duration_s=max(0.0, message.duration_s),
                truncated_bytes=max(0, message.dropped_bytes) + self._octets - self._kept,
                message=words,
            )
        )

    def tell(self, result: CommandResult) -> None:
        """This is how it ended here, as far as is known."""
        if self.is_told and result.state is CommandState.UNKNOWN:
            return
        self.tell_again(result)

    def tell_again(self, result: CommandResult) -> None:
        """As `tell`, also where what is known is only why it is not known."""
        self.result = result
        self.is_told = True
        self._on_result(self, result)

    def give_up(self, message: str, *, is_final: bool = False) -> None:
        """Nobody knows how it ended; what came of it is kept. `is_final`: told again where the reason is new."""
        if is_final and self.result is not None and self.result.message == message:
            return
        tell = self.tell_again if is_final else self.tell
        tell(
            CommandResult(
                machine=self.machine,
                state=CommandState.UNKNOWN,
                stdout=self.outputs[1].text,
                stderr=self.outputs[2].text,
                truncated_bytes=self._octets - self._kept,
                message=message,
            )
        )

    def audit_entry(self, result: CommandResult) -> dict[str, object]:
        """Audit line of the result: its size and the hash of what came, or that it was never sent."""
        note = {} if self.is_sent else {"note": "not sent"}
        return {
            "event": "result",
            "exec_id": self.request.id,
            "operator": self.request.operator,
            "machine": self.machine,
            "argv": list(self.request.words),
            "state": result.state.value,
            "exit_status": result.exit_status,
            "octets": self._octets + result.truncated_bytes,
            "sha256": self._digest.hexdigest(),
            **note,
        }


def sending_entries(request: CommandRequest, console: str, decisions: Mapping[str, str]) -> list[dict[str, object]]:
    """Audit lines written before a command is sent: one for each machine, with what is decided for it."""
    return [
        {
            "event": "command",
            "exec_id": request.id,
            "console": console,
            "operator": request.operator,
            "machine": machine,
            "argv": list(request.words),
            "decision": decision,
        }
        for machine, decision in decisions.items()
    ]


def refusal_text(denied: ExecDenied, message: str, request: CommandRequest) -> str:
    """Why an agent does not run a command: its rule, and the line its administrator can add."""
    rule = plain_text(denied.rule or message, 1024)
    shell, words = split_prefix(request.words)
    if denied.reason == "policy" and denied.policy_line:
        rule = _("no command of its policy is {command}").format(command=plain_text(shlex.join(words), 1024))
    elif denied.reason == "wrong_os" and shell is not None:
        system = "Linux" if shell == "linux" else "Windows"
        return _("not for this machine: the command is for {system}, another system runs there").format(system=system)
    line = plain_text(denied.policy_line, 1024)
    if denied.reason == "busy":
        return _("too many commands run or wait there; try again later ({rule})").format(rule=rule)
    if line:
        return _("not allowed there: {rule}; its administrator can allow it in policy.toml with: {line}").format(
            rule=rule, line=line
        )
    return _("not allowed there: {rule}").format(rule=rule)


def _shell(prefix: str) -> Shell:
    shells: dict[str, Shell] = {"linux": "linux", "dos": "dos", "powershell": "powershell"}
    return shells[prefix.lower()]


def _split(line: str, shell: Shell) -> tuple[str, ...]:
    """Words of a line; a backslash is a letter of a path on Windows."""
    try:
        words = shlex.split(line, posix=shell == "linux")
    except ValueError as error:
        if shell != "linux":  # an apostrophe is no quote to cmd
            return tuple(line.split())
        raise UsageError(_("the quotes of the command do not match")) from error
    if shell == "linux":
        return tuple(words)
    return tuple(word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word for word in words)
