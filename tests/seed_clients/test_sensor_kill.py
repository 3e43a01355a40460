"""`kill -9` at any moment takes no measure back that was acknowledged."""

from __future__ import annotations

import pytest
from sensor_kill import kill_loop


@pytest.mark.parametrize(("words", "rounds"), [((), 2), (("--threads",), 1)], ids=["loop", "threads"])
def test_no_acknowledged_measure_is_lost(tmp_path, words, rounds):
    sent, acknowledged, found = kill_loop(tmp_path / "home", rounds, *words)
    assert 0 < acknowledged <= found <= sent
