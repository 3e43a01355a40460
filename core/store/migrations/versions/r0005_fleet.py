"""Tags and the operating system of a machine; which processes used most in a minute."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """From the form before."""
    op.add_column("machines", sa.Column("tags", sa.Text, nullable=False, server_default="[]"))
    op.add_column("machines", sa.Column("os", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "minute_processes",
        sa.Column("machine_id", sa.Integer, sa.ForeignKey("machines.id"), nullable=False),
        sa.Column("minute_s", sa.Integer, nullable=False),
        sa.Column("processes", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("machine_id", "minute_s"),
        sqlite_with_rowid=False,
    )
