"""When a series of a sensor was simulated last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """From the form before."""
    op.add_column("sensor_series", sa.Column("simulated_s", sa.Float))
