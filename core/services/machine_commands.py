"""The commands of one console on one machine: sent, followed, fetched after a broken link, given up.

Lives in the loop of its `AgentPoller`; `core.services.machine_watch` tells it when the link is up and down.
"""

from __future__ import annotations

import asyncio

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
from core.records import CommandResult, CommandState
from core.services.agent_link import ANSWER_TIMEOUT_S, AgentLink
from core.services.commands import Execution, refusal_text

_FETCH_WITHIN_S = 20.0
"""How long a command whose link broke waits for the machine to return before it is told as unknown."""
_KEPT_S = 3600.0
"""How long an agent keeps a result that nobody acknowledged."""
_GRACE_S = 30.0


class MachineCommands:
    """Executions on one machine, by their id, until their results are known."""

    def __init__(self, machine: str) -> None:
        self.executions: dict[str, Execution] = {}
        self._machine = machine
        self._link: AgentLink | None = None

    def start(self, execution: Execution) -> None:
        """Have the agent run a command; only on a machine with a link."""
        link = self._link
        assert link is not None
        self.executions[execution.request.id] = execution
        execution.run_id = link.hello.run_id
        self._send_start(link, execution)

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

    def on_exec_opened(self, exec_id: str) -> None:
        """Output of a command begins."""
        execution = self.executions.get(exec_id)
        if execution is not None:
            execution.is_accepted = True
            execution.restart()
            if not execution.is_cancelled:  # a cancelled one gets no more time
                execution.deadline_s = asyncio.get_running_loop().time() + execution.request.timeout_s + _GRACE_S

    def on_output(self, exec_id: str, fd: int, content: bytes) -> None:
        """A piece of output has come."""
        execution = self.executions.get(exec_id)
        if execution is None or self._link is None:
            return
        credit = execution.take(fd, content)
        if credit:
            self._link.notify("exec.credit", ExecCredit(exec_id=exec_id, octets=min(credit, 1 << 20)))

    def on_exec_exit(self, message: ExecExit) -> None:
        """A command has ended."""
        execution = self.executions.pop(message.exec_id, None)
        if execution is not None:
            execution.end(message)
        if self._link is not None:
            self._link.notify("exec.acknowledge", ExecReference(exec_id=message.exec_id))

    def on_up(self, link: AgentLink) -> None:
        """The machine is linked (again): ask for what is still owed, unless its agent is another run."""
        self._link = link
        for execution in list(self.executions.values()):
            if execution.run_id != link.hello.run_id:
                self.executions.pop(execution.request.id)
                execution.give_up(_("the agent there was started anew while the command ran; its result is lost"))
            elif execution.is_cancelled and not execution.is_accepted:
                self.executions.pop(execution.request.id)
                execution.give_up(_("cancelled while the link is broken; how it ended there is not known"))
            else:
                execution.lost_at_s = None
                self._send_start(link, execution)

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
                execution.lost_at_s = now_s
                execution.deadline_s = now_s + _FETCH_WITHIN_S

    def sweep(self, now_s: float) -> None:
        """Give up what is overdue; `now_s` by the loop's clock."""
        for execution in list(self.executions.values()):
            if execution.is_told and execution.lost_at_s is not None and now_s - execution.lost_at_s > _KEPT_S:
                self.executions.pop(execution.request.id)
            elif not execution.is_told and execution.deadline_s is not None and now_s >= execution.deadline_s:
                self._give_up(execution, _("no answer from there; how the command ended is not known"))

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
        )
        execution.deadline_s = asyncio.get_running_loop().time() + ANSWER_TIMEOUT_S
        link.request("exec.start", start, on_answer)
        if execution.is_cancelled:
            link.notify("exec.cancel", ExecReference(exec_id=execution.request.id))

    def _on_start_answered(self, execution: Execution, envelope: Envelope) -> None:
        if envelope.error is None:
            accepted = messages.decode_as(ExecAccepted, envelope.result)
            execution.is_accepted = True
            if execution.request.id in self.executions and not execution.is_cancelled:
                now_s = asyncio.get_running_loop().time()
                execution.deadline_s = None if accepted.is_queued else now_s + execution.request.timeout_s + _GRACE_S
            return
        self.executions.pop(execution.request.id, None)
        error = envelope.error
        if error.code in (messages.DENIED, messages.BUSY):
            denied = messages.decode_as(ExecDenied, error.data) if bytes(error.data) else ExecDenied(reason="")
            is_busy = error.code == messages.BUSY or denied.reason == "busy"
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

    def _give_up(self, execution: Execution, message: str) -> None:
        """Tell `unknown`; a command that the agent had accepted stays on the list, to fetch its result later."""
        if not execution.is_accepted or self._link is not None:
            self.executions.pop(execution.request.id, None)
        execution.give_up(message)
