"""What the window's services answer before they are up."""

import pytest

from core.config import load_config
from core.errors import TransportError
from gui.runtime.services import Services


def test_a_command_sent_before_the_pollers_are_up_is_said_not_to_be_sent(qtbot, home):
    services = Services(home, load_config(home)[0])
    with pytest.raises(TransportError, match="nothing was sent"):
        services.execute(["os"], ["m1"], 30.0)
    services.stop()
    services.deleteLater()
