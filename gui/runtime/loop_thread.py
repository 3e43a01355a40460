"""A QThread that runs an asyncio loop, and the way back of its answers into the GUI thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from PyQt5.QtCore import QObject, Qt, QThread, pyqtSignal

log = logging.getLogger("beffroi.gui")

T = TypeVar("T")


class LoopThread(QThread):
    """A thread with a loop of its own; coroutines may be submitted from any thread, also before `start`."""

    crashed = pyqtSignal(str)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._loop = asyncio.new_event_loop()
        # asyncio.all_tasks reads a WeakSet that all threads change, and has been seen to come back empty.
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_stopped = False

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run `coroutine` in this thread's loop; the future is done in that thread."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        if self._is_stopped:
            coroutine.close()
            future.cancel()
            return future

        def begin() -> None:
            task = self._loop.create_task(coroutine)
            self._tasks.add(task)
            task.add_done_callback(end)
            future.add_done_callback(lambda ended: ended.cancelled() and self.call(task.cancel))

        def end(task: asyncio.Task[T]) -> None:
            self._tasks.discard(task)
            if task.cancelled():
                future.cancel()
            error = None if task.cancelled() else task.exception()
            if not future.set_running_or_notify_cancel():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(task.result())

        self._loop.call_soon_threadsafe(begin)
        return future

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a plain function in this thread's loop, soon."""
        if not self._is_stopped:
            self._loop.call_soon_threadsafe(function, *arguments)

    def spawn(self, coroutine: Coroutine[Any, Any, object]) -> concurrent.futures.Future[object]:
        """Submit a coroutine that runs until the end; when it fails, that is logged and `crashed` says so."""
        future: concurrent.futures.Future[object] = self.submit(coroutine)
        future.add_done_callback(self._on_spawned_done)
        return future

    def run(self) -> None:
        """The thread's own frame: never called by others."""
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._cancel(list(self._tasks))
            self._cancel(list(asyncio.all_tasks(self._loop)))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        except Exception:
            log.exception("the loop of thread %s failed", self.objectName())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()

    def _cancel(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    def request_stop(self) -> None:
        """Cancel all coroutines and end the thread, without waiting."""
        if self._is_stopped:
            return
        self._is_stopped = True
        if self.isRunning() or not self.isFinished():
            self._loop.call_soon_threadsafe(self._loop.stop)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Cancel all, wait for the end; True when the thread has ended. Only when the window closes."""
        self.request_stop()
        if not self.isRunning():
            if not self._loop.is_closed():
                self._loop.close()
            return True
        return self.wait(round(timeout_s * 1000))

    def _on_spawned_done(self, future: concurrent.futures.Future[object]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            log.error("a service of thread %s failed", self.objectName(), exc_info=error)
            self.crashed.emit(str(error) or type(error).__name__)


class Answers(QObject):
    """Brings what other threads have computed back into the thread that made it.

    A callback whose `owner` has been deleted or replaced in the meantime must say so itself.
    """

    _ready = pyqtSignal(object, object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._is_closed = False
        self._ready.connect(self._on_ready, Qt.QueuedConnection)

    def when(
        self,
        future: concurrent.futures.Future[T],
        done: Callable[[T], object],
        failed: Callable[[BaseException], object] | None = None,
    ) -> None:
        """Call `done(result)` here when `future` has ended, or `failed(error)`; neither when it was cancelled."""
        future.add_done_callback(lambda ended: self._ready.emit(ended, done, failed))

    def close(self) -> None:
        """Call nothing any more."""
        self._is_closed = True

    def _on_ready(
        self,
        future: concurrent.futures.Future[Any],
        done: Callable[[Any], object],
        failed: Callable[[BaseException], object] | None,
    ) -> None:
        if self._is_closed or future.cancelled():
            return
        error = future.exception()
        if error is None:
            done(future.result())
        elif failed is not None:
            failed(error)
        else:
            log.error("a request of the window failed", exc_info=error)
