"""Power factors of the phases; roll-ups of years; what was fetched from a meter's load profile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

PHASES = ("power_factor_l1", "power_factor_l2", "power_factor_l3")


def upgrade() -> None:
    """From the form before."""
    for field in PHASES:
        op.add_column("measurements", sa.Column(field, sa.Float))
        for figure in ("min", "mean", "max"):
            op.add_column("measurement_quarters", sa.Column(f"{field}_{figure}", sa.Float))
