"""The commands of one console on one machine: sent, followed, fetched after a broken link or by a later console.

Lives in the loop of its `AgentPoller`; `core.services.machine_watch` tells it when the link is up and down. A command
is sent again over a new link only while its user still waits for it; once it was told as unknown, or cancelled, it is
merely asked for by `exec.fetch`, which never starts anything.
"""

from __future__ import annotations

import asyncio
import math

from core.errors import BeffroiError, NotTrustedError
from core.language import _
from core.protocol import messages
from core.protocol.messages import (
    Envelope,
    ExecAccepted,
    ExecCredit,
    ExecDenied,
    ExecExit,
    ExecReference,
    ExecStart,
)
from core.records import CommandPlace, CommandResult, CommandState
from core.services.agent_link import ANSWER_TIMEOUT_S, AgentLink
from core.services.commands import Execution, refusal_text, shell_line

_FETCH_WITHIN_S = 20.0
"""How long a command whose link broke waits for the machine to return before it is told as unknown."""
KEPT_S = 3600.0
"""How long an agent keeps a result that nobody acknowledged."""
_GRACE_S = 30.0
_MOST_LOSSES = 4
"""Links that break in a row before a command is accepted: it may be the command that breaks them."""
_MOST_UNACKNOWLEDGED = 255
_ACKNOWLEDGED_AGAIN_S = 400.0
"""A link that has died without a word swallows what is sent until its silence is noticed: six intervals at most."""
_LATE_REASONS = ("unknown", "done", "lost")


class MachineCommands:
    """Executions on one machine, by their id, until their results are known or nobody keeps them any more."""

    def __init__(self, machine: str) -> None:
        self.executions: dict[str, Execution] = {}
        self._machine = machine
        self._link: AgentLink | None = None
        self._acknowledged: list[tuple[str, float]] = []

    def start(self, execution: Execution) -> None:
        """Have the agent run a command; only on a machine with a link."""
        link = self._link
        assert link is not None
        self.executions[execution.request.id] = execution
        execution.run_id = link.hello.run_id
        execution.is_sent = True
        self._send_start(link, execution)
        execution.step(CommandPlace.SENT)

    def adopt(self, execution: Execution) -> None:
        """Fetch the result of a command that an earlier console sent and told as unknown."""
        execution.is_sent = execution.is_told = True
        execution.told_at_s = asyncio.get_running_loop().time()
        self.executions[execution.request.id] = execution
        if self._link is not None:
            self._send_fetch(self._link, execution)

    def cancel(self, exec_id: str) -> None:
        """Have a command ended before its time."""
        execution = self.executions.get(exec_id)
        if execution is None or execution.is_told:
            return
        execution.is_cancelled = True
        if self._link is not None:
            self._link.notify("exec.cancel", ExecReference(exec_id=exec_id))
            execution.deadline_s = asyncio.get_running_loop().time() + ANSWER_TIMEOUT_S
        else:
            self._give_up(execution, _("cancelled while the link is broken; how it ended there is not known"))

    def acknowledge(self, exec_id: str) -> None:
        """The result is written down: the agent need not keep it any more."""
        sent_s = asyncio.get_running_loop().time() if self._link is not None else math.inf
        self._acknowledged = [*self._acknowledged[-_MOST_UNACKNOWLEDGED:], (exec_id, sent_s)]
        if self._link is not None:
            self._link.notify("exec.acknowledge", ExecReference(exec_id=exec_id))

    def on_exec_opened(self, exec_id: str) -> None:
        """Output of a command begins."""
        execution = self.executions.get(exec_id)
        if execution is not None:
            execution.is_accepted = True
            execution.is_queued = False
            execution.restart()
            if not execution.is_cancelled:  # a cancelled one gets no more time
                execution.deadline_s = _end_of(execution)
            execution.step(CommandPlace.RUNNING)

    def on_output(self, exec_id: str, fd: int, content: bytes) -> None:
        """A piece of output has come."""
        execution = self.executions.get(exec_id)
        if execution is None or self._link is None:
            return
        credit = execution.take(fd, content)
        if credit:
            self._link.notify("exec.credit", ExecCredit(exec_id=exec_id, octets=min(credit, 1 << 20)))

    def on_exec_exit(self, message: ExecExit) -> None:
        """A command has ended; it is acknowledged once its result is written down."""
        execution = self.executions.pop(message.exec_id, None)
        if execution is not None:
            execution.end(message)
        elif self._link is not None:
            self._link.notify("exec.acknowledge", ExecReference(exec_id=message.exec_id))

    def on_up(self, link: AgentLink) -> None:
        """The machine is linked (again): ask for what is still owed."""
        self._link = link
        self._acknowledge_again(link)
        for execution in list(self.executions.values()):
            is_same_run = execution.run_id == link.hello.run_id
            if not is_same_run and not execution.is_told:
                execution.give_up(_("the agent there was started anew while the command ran; its result is lost"))
            if execution.is_told or execution.is_cancelled:
                self._send_fetch(link, execution)
            else:
                execution.lost_at_s = None
                self._send_start(link, execution)

    def _acknowledge_again(self, link: AgentLink) -> None:
        """Say once more what was said while there was no link, or into one that may have been dead already."""
        now_s = asyncio.get_running_loop().time()
        recent = [known for known in self._acknowledged if now_s - known[1] < _ACKNOWLEDGED_AGAIN_S]
        self._acknowledged = [(exec_id, min(sent_s, now_s)) for exec_id, sent_s in recent]
        for exec_id, _sent_s in recent:
            link.notify("exec.acknowledge", ExecReference(exec_id=exec_id))

    def on_down(self, error: BeffroiError) -> None:
        """The link is gone, or could not be had again."""
        self._link = None
        now_s = asyncio.get_running_loop().time()
        for execution in list(self.executions.values()):
            if execution.is_told:
                continue
            if isinstance(error, NotTrustedError):
                self._give_up(execution, str(error))
            elif execution.lost_at_s is None:
                execution.losses += 1
                execution.lost_at_s = now_s
                execution.deadline_s = now_s + _FETCH_WITHIN_S
                execution.step(CommandPlace.LINK_LOST)
                if execution.losses >= _MOST_LOSSES:
                    self._give_up(execution, _("the link breaks each time it is sent; how it ended is not known"))

    def sweep(self, now_s: float) -> None:
        """Give up what is overdue; `now_s` by the loop's clock."""
        for execution in list(self.executions.values()):
            if execution.is_told:
                if execution.told_at_s is None:
                    execution.told_at_s = now_s
                elif now_s - execution.told_at_s > KEPT_S:
                    self._drop(execution)
            elif execution.deadline_s is not None and now_s >= execution.deadline_s:
                self._give_up(execution, _("no answer from there; how the command ended is not known"))
            elif execution.is_queued:  # at once it would be told of every command: an agent starts one a moment later
                execution.step(CommandPlace.QUEUED)

    def _send_start(self, link: AgentLink, execution: Execution) -> None:
        def on_answer(envelope: Envelope) -> bool:
            self._on_start_answered(execution, envelope)
            return True

        start = ExecStart(
            exec_id=execution.request.id,
            words=execution.words,
            timeout_s=execution.request.timeout_s,
            operator=execution.request.operator[:256],
            shell=execution.shell,
            line=shell_line(execution.request.words),
        )
        execution.deadline_s = asyncio.get_running_loop().time() + ANSWER_TIMEOUT_S
        link.request("exec.start", start, on_answer)

    def _send_fetch(self, link: AgentLink, execution: Execution) -> None:
        def on_answer(envelope: Envelope) -> bool:
            self._on_fetch_answered(link, execution, envelope)
            return True

        asked = ExecReference(exec_id=execution.request.id)
        link.request("exec.fetch", asked, on_answer)
        if execution.is_cancelled:
            link.notify("exec.cancel", asked)

    def _on_start_answered(self, execution: Execution, envelope: Envelope) -> None:
        if envelope.error is None:
            accepted = messages.decode_as(ExecAccepted, envelope.result)
            execution.is_accepted = True
            execution.losses = 0
            if execution.request.id in self.executions and not execution.is_cancelled:
                execution.is_queued = accepted.is_queued
                execution.deadline_s = None if accepted.is_queued else _end_of(execution)
            return
        self.executions.pop(execution.request.id, None)
        error = envelope.error
        if error.code in (messages.DENIED, messages.BUSY):
            denied = _denied(error)
            is_busy = error.code == messages.BUSY or denied.reason == "busy"
            if denied.reason in _LATE_REASONS:  # sent again over a new link, and over
                self._tell_unknown(execution, denied, error.message)
                return
            execution.tell(
                CommandResult(
                    machine=self._machine,
                    state=CommandState.FAILED if is_busy else CommandState.NOT_ALLOWED,
                    message=refusal_text(denied, error.message, execution.request),
                )
            )
        elif error.code == messages.NOT_FOUND:
            # An agent that has left execution out of its program does not even know the request.
            execution.tell(
                CommandResult(
                    machine=self._machine,
                    state=CommandState.NOT_ALLOWED,
                    message=_("the agent there is view-only: it shows its machine and runs nothing"),
                )
            )
        else:
            execution.tell(
                CommandResult(
                    machine=self._machine,
                    state=CommandState.FAILED,
                    message=messages.plain_text(error.message, 1024),
                )
            )

    def _on_fetch_answered(self, link: AgentLink, execution: Execution, envelope: Envelope) -> None:
        """It comes, or the agent says why it does not."""
        error = envelope.error
        if error is None:
            messages.decode_as(ExecAccepted, envelope.result)
            execution.is_accepted = True
            return
        if execution.request.id not in self.executions:
            return
        if error.code == messages.NOT_FOUND and execution.is_accepted and execution.run_id == link.hello.run_id:
            self._send_start(link, execution)  # an older agent: it knows the id and does not run it again
            return
        self.executions.pop(execution.request.id)
        denied = _denied(error)
        if execution.is_cancelled and denied.reason == "unknown":
            message = _("cancelled; it was never run there")
            execution.tell(CommandResult(machine=self._machine, state=CommandState.CANCELLED, message=message))
        elif error.code in (messages.DENIED, messages.BUSY):
            self._tell_unknown(execution, denied, error.message)
        else:
            execution.give_up(_("the agent there cannot say later how a command ended; update it"))
            execution.over()

    def _tell_unknown(self, execution: Execution, denied: ExecDenied, refusal: str) -> None:
        """The agent itself says that nothing more is to be had."""
        texts = {
            "unknown": _("its agent knows nothing of it: it was never run there"),
            "done": _("it has ended there, and its agent keeps the result no longer"),
            "lost": _("the agent there was started anew while the command ran; its result is lost"),
        }
        message = texts.get(denied.reason) or refusal_text(denied, refusal, execution.request)
        execution.give_up(message, is_final=True)
        execution.over()

    def _give_up(self, execution: Execution, message: str) -> None:
        """Tell `unknown`; it stays on the list, to fetch its result later."""
        execution.told_at_s = asyncio.get_running_loop().time()
        execution.give_up(message)

    def _drop(self, execution: Execution) -> None:
        self.executions.pop(execution.request.id, None)
        execution.over()


def _end_of(execution: Execution) -> float:
    """When a command that has begun is over, by the loop's clock; links that break and return give it no more time."""
    if execution.ends_by_s is None:
        execution.ends_by_s = asyncio.get_running_loop().time() + execution.request.timeout_s + _GRACE_S
    return execution.ends_by_s


def _denied(error: messages.Error) -> ExecDenied:
    """Why the agent refuses; of an answer without reasons, none."""
    if error.code not in (messages.DENIED, messages.BUSY) or not bytes(error.data):
        return ExecDenied(reason="")
    return messages.decode_as(ExecDenied, error.data)
