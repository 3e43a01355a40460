import asyncio
import threading

from PyQt5.QtCore import QThread

from gui.runtime.loop_thread import Answers, LoopThread


def test_a_coroutine_runs_in_the_thread_and_its_answer_comes_back_here(qtbot):
    thread = LoopThread("t")
    answers = Answers()
    got = []

    async def work():
        await asyncio.sleep(0)
        return QThread.currentThread() is thread

    answers.when(thread.submit(work()), lambda value: got.append((value, threading.current_thread())))
    thread.start()
    qtbot.waitUntil(lambda: got != [], timeout=2000)
    assert thread.stop()
    assert got == [(True, threading.current_thread())]


def test_a_failure_comes_back_as_an_error(qtbot):
    thread = LoopThread("t")
    answers = Answers()
    errors = []

    async def fail():
        raise ValueError("no")

    thread.start()
    answers.when(thread.submit(fail()), lambda value: None, errors.append)
    qtbot.waitUntil(lambda: errors != [], timeout=2000)
    assert thread.stop()
    assert str(errors[0]) == "no"


def test_stop_cancels_what_runs_and_lets_it_clean_up(qtbot):
    thread = LoopThread("t")
    ended = []

    async def forever():
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            ended.append("cleaned")

    thread.start()
    thread.spawn(forever())
    qtbot.wait(30)
    before = threading.active_count()
    assert thread.stop()
    assert ended == ["cleaned"]
    assert thread.isFinished()
    assert threading.active_count() <= before


def test_a_service_that_fails_is_told(qtbot):
    thread = LoopThread("t")

    async def fail():
        raise OSError("the disk is gone")

    thread.start()
    with qtbot.waitSignal(thread.crashed, timeout=2000) as told:
        thread.spawn(fail())
    assert thread.stop()
    assert told.args == ["the disk is gone"]


def test_a_thread_never_started_stops_and_takes_no_work(qtbot):
    thread = LoopThread("t")
    assert thread.stop()

    async def work():
        return 1

    assert thread.submit(work()).cancelled()


def test_many_threads_that_stop_at_once_leave_no_task_behind(qtbot):
    threads, ended = [LoopThread(f"t{number}") for number in range(8)], []

    async def busy():
        try:
            while True:
                await asyncio.gather(*(asyncio.sleep(0.001) for _number in range(20)))
        finally:
            ended.append(1)

    for thread in threads:
        thread.start()
        thread.spawn(busy())
    qtbot.wait(50)
    for thread in threads:
        thread.request_stop()
    assert all(thread.stop() for thread in threads)
    assert len(ended) == 8


def test_a_future_that_is_cancelled_cancels_the_work(qtbot):
    thread, cancelled = LoopThread("t"), []

    async def work():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    thread.start()
    future = thread.submit(work())
    qtbot.wait(20)
    future.cancel()
    qtbot.waitUntil(lambda: cancelled != [], timeout=2000)
    assert thread.stop()


def test_work_submitted_just_before_the_stop_is_closed_too(qtbot):
    thread = LoopThread("t")

    async def work():
        await asyncio.sleep(3600)

    thread.start()
    future = thread.submit(work())
    assert thread.stop()
    assert future.cancelled()
