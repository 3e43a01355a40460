"""Decides on every command a console asks for, writes it down, runs it, and keeps its result until it is fetched.

Owned by the agent's loop. Four commands run at a time and sixteen wait. The id that a console gives a command is a key:
the same id never runs twice, not even after its result was fetched.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from core.agent import builtins
from core.agent.collector import Collector
from core.agent.consoles import AuthorizedConsole
from core.agent.environment import find_program
from core.agent.execution import Execution, OutputLink
from core.agent.policy import Decision, Policy, script_refusal
from core.agent.program import Program
from core.audit import AuditLog
from core.errors import ConfigError
from core.protocol.messages import ExecDenied, ExecExit, ExecStart, plain_text
from core.records import Level, Status

log = logging.getLogger("beffroi.agent")

RUNNING_AT_ONCE = 4
WAITING_AT_MOST = 16
KEPT_S = 3600.0
_KEPT_OCTETS = 8 * 1024 * 1024
_KEPT_RESULTS = 256
_IDS_REMEMBERED = 4096
_PREFIXES = {"linux:": ("linux", "linux"), "dos:": ("dos", "windows"), "powershell:": ("powershell", "windows")}
_SHELL_SYSTEMS = dict(_PREFIXES.values())
_SYSTEM_NAMES = {"linux": "Linux", "windows": "Windows", "darwin": "macOS"}


class Executor:
    """All commands of one agent."""

    def __init__(
        self, policy: Policy, platform: str, collector: Collector, fresh_status: Callable[[], Status], audit: AuditLog
    ) -> None:
        self._policy = policy
        self._platform = platform
        self._collector = collector
        self._fresh_status = fresh_status
        self._audit = audit
        self._executions: OrderedDict[tuple[str, str], Execution] = OrderedDict()
        self._fetched: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._waiting: deque[tuple[Execution, Decision, tuple[str, ...]]] = deque()
        self._running = 0
        self._is_stopping = False

    def start(self, console: AuthorizedConsole, request: ExecStart, now_s: float) -> Execution | ExecDenied:
        """Decide on `request` and write the decision down; a command that is known already is not run again.

        What is allowed starts as soon as the caller has returned to the loop.
        """
        key = (console.fingerprint, request.exec_id)
        known = self._executions.get(key)
        if known is not None:
            return known
        if key in self._fetched:
            return ExecDenied(reason="done", rule="this command has ended and its result is no longer kept")
        words, decision = self._decide(request, console.level)
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
        execution = Execution(console.fingerprint, request.exec_id, timeout_s, now_s)
        self._executions[key] = execution
        self._waiting.append((execution, decision, words))
        asyncio.get_running_loop().call_soon(self._start_waiting)
        return execution

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
            self._waiting = deque(item for item in self._waiting if item[0] is not execution)
            execution.open()
            self._end(execution, "cancelled", None, "", 0.0)

    def acknowledge(self, fingerprint: str, exec_id: str) -> None:
        """The console has the result: forget it, but not its id."""
        execution = self.find(fingerprint, exec_id)
        if execution is not None and execution.exit is not None:
            self._forget((fingerprint, exec_id))

    def cancel_of(self, fingerprint: str) -> None:
        """End all commands of a console that is trusted no more."""
        for owner, exec_id in list(self._executions):
            if owner == fingerprint:
                self.cancel(owner, exec_id)

    def detach(self, link: OutputLink) -> None:
        """A link has ended; its commands go on."""
        for execution in self._executions.values():
            execution.detach(link)

    def expire(self, now_s: float) -> None:
        """Forget results that nobody has fetched for an hour, and the oldest ones beyond the limits."""
        ended = [(key, item) for key, item in self._executions.items() if item.exit is not None]
        octets = sum(item.output.kept_octets for _key, item in ended)
        for place, (key, item) in enumerate(ended):
            is_beyond = octets > _KEPT_OCTETS or len(ended) - place > _KEPT_RESULTS
            if is_beyond or now_s - item.asked_s > KEPT_S + item.timeout_s:
                octets -= item.output.kept_octets
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

    def _decide(self, request: ExecStart, level: Level) -> tuple[tuple[str, ...], Decision]:
        """The words without their prefix, and what may be done with them."""
        words = request.words
        try:
            shell, words = split_prefix(words)
        except ValueError as error:
            return words, Decision(reason="parameter", rule=f"the line cannot be split into words: {error}")
        system = _SHELL_SYSTEMS.get(request.shell or shell or "", self._platform)
        if system != self._platform:
            here, asked = (_SYSTEM_NAMES.get(name, name) for name in (self._platform, system))
            return words, Decision(reason="wrong_os", rule=f"this machine runs {here}, the command is for {asked}")
        if level.rank < Level.RUN.rank:
            rule = f"commands need level run, this console has {level.value}"
            return words, Decision(reason="level", rule=rule)
        if not words or not words[0]:
            return words, Decision(reason="parameter", rule="there is no command")
        if any("\0" in word for word in words):
            return words, Decision(reason="parameter", rule="an argument holds the character NUL")
        if builtins.is_builtin(words):
            return words, Decision(argv=words)
        return words, self._policy.decide(words, level)

    def _start_waiting(self) -> None:
        while self._waiting and self._running < RUNNING_AT_ONCE and not self._is_stopping:
            execution, decision, words = self._waiting.popleft()
            self._running += 1
            execution.open()
            execution.task = asyncio.get_running_loop().create_task(self._run(execution, decision, words))

    async def _run(self, execution: Execution, decision: Decision, words: tuple[str, ...]) -> None:
        """Run one command to its end, whatever that is."""
        begin_s = time.monotonic()
        state, exit_status, message = "failed", None, ""
        try:
            if decision.command is None:
                async with asyncio.timeout(execution.timeout_s):
                    exit_status, message = await self._run_builtin(execution, words)
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
        assert decision.command is not None
        name = decision.argv[0]
        path = find_program(name)
        if path is None:
            message = f"{name}: no such program on this machine"
            execution.put(2, (message + "\n").encode(errors="replace"))
            return "failed", 127, message
        refusal = script_refusal(decision.command, path)
        if refusal is not None:
            execution.put(2, (refusal + "\n").encode(errors="replace"))
            return "failed", 126, refusal
        try:
            program = await Program.start(path, decision.argv, execution.put)
        except OSError as error:
            message = f"{name}: {error.strerror or error}"
            execution.put(2, (message + "\n").encode(errors="replace"))
            return "failed", 126, message
        state = message = ""
        try:
            async with asyncio.timeout(execution.timeout_s):
                await asyncio.shield(program.ended)
        except TimeoutError:
            state, message = "timeout", f"ended by the agent after {execution.timeout_s:g} s"
        except asyncio.CancelledError:
            state = "cancelled"
        if state:
            if self._is_stopping:
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
        self._fetched[key] = None
        while len(self._fetched) > _IDS_REMEMBERED:
            self._fetched.popitem(last=False)


def split_prefix(words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """The shell that a prefix names (`Linux:`, `DOS:`, `Powershell:`), and the words without it.

    `Linux: ls`, `Linux:ls -al` in two words and the same in one word mean the same; raises ValueError where that one
    word has an open quote.
    """
    for prefix, (shell, _system) in _PREFIXES.items():
        if words[0].lower().startswith(prefix):
            first = words[0][len(prefix) :].strip()
            if len(words) == 1:
                return shell, tuple(shlex.split(first))
            return shell, ((first, *words[1:]) if first else words[1:])
    return None, words


def _audited(
    console: AuthorizedConsole, request: ExecStart, words: tuple[str, ...], decision: Decision
) -> dict[str, object]:
    return {
        "event": "command",
        "console": console.fingerprint,
        "console_name": console.name,
        "operator": plain_text(request.operator),
        "exec_id": request.exec_id,
        "argv": list(words if not decision.argv else decision.argv),
        "decision": "allowed" if decision.is_allowed else "refused",
        "rule": decision.command.id if decision.command else decision.rule or "built-in",
    }
