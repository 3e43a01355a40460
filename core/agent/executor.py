"""Decides on every command a console asks for, writes it down, runs it, and keeps its result until it is fetched.

Owned by the agent's loop. Four commands run at a time and sixteen wait. The id that a console gives a command is a key:
the same id never runs twice, not even after its result was fetched, and one of which a console was told that it was
never run here will not be run later either, however late its request comes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from core.agent import builtins
from core.agent.collector import Collector
from core.agent.consoles import AuthorizedConsole
from core.agent.decisions import decide
from core.agent.desk import Business
from core.agent.environment import find_program
from core.agent.execution import Execution, OutputLink
from core.agent.past_commands import Settled, past_of
from core.agent.pinned import PinError, open_pinned
from core.agent.policy import Decision, Policy
from core.agent.program import Program
from core.audit import AuditLog
from core.errors import ConfigError
from core.protocol.messages import ExecDenied, ExecExit, ExecStart, plain_text
from core.records import Status

log = logging.getLogger("beffroi.agent")

RUNNING_AT_ONCE = 4
WAITING_AT_MOST = 16
KEPT_S = 3600.0
_KEPT_OCTETS = 8 * 1024 * 1024
_KEPT_RESULTS = 256
_REFUSED_CHARACTERS = 1000


class _Waiting(NamedTuple):
    """A command that waits its turn; decided anew where the policy has changed when it comes."""

    execution: Execution
    console: AuthorizedConsole
    request: ExecStart
    decision: Decision
    policy: Policy


class Executor:
    """All commands of one agent."""

    def __init__(
        self, policy: Policy, platform: str, collector: Collector, fresh_status: Callable[[], Status], audit: AuditLog
    ) -> None:
        self.policy = policy
        self._platform = platform
        self._collector = collector
        self._fresh_status = fresh_status
        self._audit = audit
        self._executions: OrderedDict[tuple[str, str], Execution] = OrderedDict()
        self._settled = Settled()
        self._waiting: deque[_Waiting] = deque()
        self._running = 0
        self._is_stopping = False

    def start(
        self, console: AuthorizedConsole, request: ExecStart, now_s: float, address: str
    ) -> Execution | ExecDenied:
        """Decide on `request` and write the decision down; a command that is known already is not run again.

        What is allowed starts as soon as the caller has returned to the loop.
        """
        key = (console.fingerprint, request.exec_id)
        known = self._executions.get(key)
        if known is not None:
            return known
        settled = self._settled.get(key)
        if settled is not None:
            return settled
        words, decision = decide(request, console.level, self.policy, self._platform)
        if decision.is_allowed and len(self._waiting) >= WAITING_AT_MOST:
            decision = Decision(reason="busy", rule=f"{RUNNING_AT_ONCE} commands run and {WAITING_AT_MOST} wait")
        try:
            self._audit.append([_audited(console, request, words, decision)])
        except ConfigError as error:
            # What may not be written down may not be done.
            decision = Decision(reason="policy", rule=str(error))
        if not decision.is_allowed:
            return ExecDenied(
                reason=decision.reason, rule=plain_text(decision.rule, 4096), policy_line=decision.policy_line[:4096]
            )
        timeout_s = min(request.timeout_s, decision.command.timeout_s if decision.command else request.timeout_s)
        execution = Execution(console.fingerprint, request.exec_id, timeout_s, now_s, console.level, address)
        self._executions[key] = execution
        self._waiting.append(_Waiting(execution, console, request, decision, self.policy))
        asyncio.get_running_loop().call_soon(self._start_waiting)
        return execution

    def fetch(self, fingerprint: str, exec_id: str) -> Execution | ExecDenied:
        """A command that this console has asked for, or why there is none: `unknown`, `done` or `lost`.

        One that is told as unknown is never run afterwards, even where the request for it is still on its way.
        """
        known = self.find(fingerprint, exec_id)
        if known is not None:
            return known
        settled = self._settled.get((fingerprint, exec_id))
        if settled is None:
            settled = past_of(self._audit.path, fingerprint, exec_id)
            self._settled.put((fingerprint, exec_id), settled)
        return settled

    def find(self, fingerprint: str, exec_id: str) -> Execution | None:
        """A command of this console."""
        return self._executions.get((fingerprint, exec_id))

    def cancel(self, fingerprint: str, exec_id: str) -> None:
        """End a command of this console; its result says so."""
        execution = self.find(fingerprint, exec_id)
        if execution is None or execution.exit is not None or execution.is_cancelled:
            return
        execution.is_cancelled = True
        if execution.task is not None:
            # In the loop's next turn: a task that is cancelled before its first step never reaches its end.
            asyncio.get_running_loop().call_soon(execution.task.cancel)
        else:
            self._waiting = deque(item for item in self._waiting if item.execution is not execution)
            execution.open()
            self._end(execution, "cancelled", None, "", 0.0)

    def acknowledge(self, fingerprint: str, exec_id: str) -> None:
        """The console has the result: forget it, but not its id."""
        execution = self.find(fingerprint, exec_id)
        if execution is not None and execution.exit is not None:
            self._forget((fingerprint, exec_id))

    def cancel_of(self, fingerprint: str) -> None:
        """Kill all commands of a console that is trusted no more."""
        for (owner, exec_id), execution in list(self._executions.items()):
            if owner == fingerprint and not execution.is_distrusted:
                execution.is_distrusted = True
                if execution.is_cancelled and execution.task is not None:
                    # It has two seconds to end by itself no more.
                    asyncio.get_running_loop().call_soon(execution.task.cancel)
                self.cancel(owner, exec_id)

    def owners(self) -> dict[str, Business]:
        """The consoles whose commands run or wait: the highest level at which one was allowed, and from where."""
        found: dict[str, Business] = {}
        for execution in self._executions.values():
            if execution.exit is None:
                known = found.get(execution.owner, Business(execution.level, frozenset()))
                level = max(known.level, execution.level, key=lambda level: level.rank)
                found[execution.owner] = Business(level, known.addresses | {execution.address})
        return found

    def detach(self, link: OutputLink) -> None:
        """A link has ended; its commands go on."""
        for execution in self._executions.values():
            execution.detach(link)

    def expire(self, now_s: float) -> None:
        """Forget results that nobody has fetched for an hour, and the oldest ones beyond the limits."""
        ended = [(key, item) for key, item in self._executions.items() if item.exit is not None]
        octets = sum(item.output.memory_octets for _key, item in ended)
        for place, (key, item) in enumerate(ended):
            is_beyond = octets > _KEPT_OCTETS or len(ended) - place > _KEPT_RESULTS
            if is_beyond or now_s - item.asked_s > KEPT_S + item.timeout_s:
                octets -= item.output.memory_octets
                self._forget(key)

    async def stop(self) -> None:
        """Kill all commands and wait until they are gone."""
        self._is_stopping = True
        self._waiting.clear()
        tasks = [item.task for item in self._executions.values() if item.task is not None and not item.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5.0)

    def _start_waiting(self) -> None:
        while self._waiting and self._running < RUNNING_AT_ONCE and not self._is_stopping:
            waiting = self._waiting.popleft()
            execution, decision = waiting.execution, self._decided_now(waiting)
            execution.open()
            if not decision.is_allowed:
                self._end(execution, "failed", 126, f"no longer allowed: {decision.rule}", 0.0)
                continue
            self._running += 1
            execution.task = asyncio.get_running_loop().create_task(self._run(execution, decision))

    def _decided_now(self, waiting: _Waiting) -> Decision:
        """What the policy of this moment says, and written down where it says something else."""
        if waiting.policy is self.policy:
            return waiting.decision
        words, decision = decide(waiting.request, waiting.console.level, self.policy, self._platform)
        if decision != waiting.decision:
            try:
                self._audit.append([_audited(waiting.console, waiting.request, words, decision)])
            except ConfigError as error:
                return Decision(reason="policy", rule=str(error))
        return decision

    async def _run(self, execution: Execution, decision: Decision) -> None:
        """Run one command to its end, whatever that is."""
        begin_s = time.monotonic()
        state, exit_status, message = "failed", None, ""
        try:
            if decision.command is None and not decision.is_raw:
                async with asyncio.timeout(execution.timeout_s):
                    exit_status, message = await self._run_builtin(execution, decision.argv)
                state = "ok" if exit_status == 0 else "failed"
            else:
                state, exit_status, message = await self._run_program(execution, decision)
        except TimeoutError:
            state, message = "timeout", f"ended by the agent after {execution.timeout_s:g} s"
        except asyncio.CancelledError:
            state = "cancelled"
        except Exception:
            log.exception("a command failed in the agent itself")
            message = "an error in the agent; its log has the details"
        finally:
            self._running -= 1
            self._end(execution, state, exit_status, message, time.monotonic() - begin_s)
            self._start_waiting()

    async def _run_builtin(self, execution: Execution, words: tuple[str, ...]) -> tuple[int, str]:
        told = await builtins.answer(words, self._collector, self._fresh_status())
        for fd, text in ((1, told.stdout), (2, told.stderr)):
            if text:
                execution.put(fd, text.encode(errors="replace"))
        return told.exit_status, told.stderr.strip() if told.exit_status else ""

    async def _run_program(self, execution: Execution, decision: Decision) -> tuple[str, int | None, str]:
        """State, exit status and message of a program."""
        name = decision.argv[0]
        path, command, pinned = find_program(name), decision.command, None
        if path is None:
            return _not_started(execution, 127, f"{name}: no such program on this machine")
        try:
            if command is not None and command.sha256:
                pinned = open_pinned(path, command.sha256)
            leaves_daemons = command is not None and command.leaves_daemons
            program = await Program.start(
                path, decision.argv, execution.put, leaves_daemons=leaves_daemons, descriptor=pinned
            )
        except PinError as refusal:
            return _not_started(execution, 126, str(refusal))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return _not_started(execution, 126, f"{name}: {reason}")
        finally:
            if pinned is not None:
                os.close(pinned)
        state = message = ""
        try:
            async with asyncio.timeout(execution.timeout_s):
                await asyncio.shield(program.ended)
        except TimeoutError:
            state, message = "timeout", f"ended by the agent after {execution.timeout_s:g} s"
        except asyncio.CancelledError:
            state = "cancelled"
        if state:
            if self._is_stopping or execution.is_distrusted:
                program.kill()
            else:
                program.terminate()
            await program.gone()
            return state, program.exit_status, message
        return "ok" if program.exit_status == 0 else "failed", program.exit_status, ""

    def _end(self, execution: Execution, state: str, exit_status: int | None, message: str, duration_s: float) -> None:
        ended = ExecExit(
            exec_id=execution.exec_id,
            state=state,  # type: ignore[arg-type]  # one of the four words, by the callers above
            exit_status=exit_status,
            dropped_bytes=execution.output.dropped_octets,
            duration_s=round(duration_s, 3),
            message=plain_text(message, 4096),
        )
        result = {
            "event": "result",
            "console": execution.owner,
            "exec_id": execution.exec_id,
            "state": state,
            "exit_status": exit_status,
            "octets": execution.output.octets,
            "sha256": execution.output.sha256,
        }
        try:
            self._audit.append([result])
        except ConfigError as error:
            log.error("%s", error)
        execution.finish(ended)

    def _forget(self, key: tuple[str, str]) -> None:
        del self._executions[key]
        denied = ExecDenied(reason="done", rule="this command has ended and its result is no longer kept")
        self._settled.put(key, denied)


def _not_started(execution: Execution, exit_status: int, message: str) -> tuple[str, int, str]:
    execution.put(2, (message + "\n").encode(errors="replace"))
    return "failed", exit_status, message


def _shortened(words: tuple[str, ...]) -> list[str]:
    """Words of what was not run: their first thousand characters say enough, and a quarter of a MiB fills the disk."""
    shown: list[str] = []
    left = _REFUSED_CHARACTERS
    for word in words:
        if left <= 0:
            return [*shown, f"… {len(words) - len(shown)} more"]
        shown.append(word if len(word) <= left else f"{word[:left]}…")
        left -= len(word) + 1
    return shown


def _audited(
    console: AuthorizedConsole, request: ExecStart, words: tuple[str, ...], decision: Decision
) -> dict[str, object]:
    return {
        "event": "command",
        "console": console.fingerprint,
        "console_name": console.name,
        "operator": plain_text(request.operator),
        "exec_id": request.exec_id,
        "argv": _shortened(words) if not decision.is_allowed else list(decision.argv),
        "decision": "allowed" if decision.is_allowed else "refused",
        "rule": decision.command.id
        if decision.command
        else decision.rule or ("raw" if decision.is_raw else "built-in"),
    }
