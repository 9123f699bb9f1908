"""Request ids: which request caused a mail or a step on many people, for the lines of the log."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = ("mails", "bulks")


def upgrade() -> None:
    """Of what is there already, nobody knows."""
    for table in TABLES:
        op.add_column(table, sa.Column("request_id", sa.String(64)))


def downgrade() -> None:
    """Forget them; everything else stays."""
    for table in TABLES:
        op.drop_column(table, "request_id")
