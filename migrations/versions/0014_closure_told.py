"""Closures: which members of staff were told by mail that registration closed."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody was so far: who can act on a closure that stands is told of it."""
    op.add_column("workplaces", sa.Column("closure_told_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Forget it; everything else stays."""
    op.drop_column("workplaces", "closure_told_at")
