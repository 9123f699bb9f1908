"""The wish: which access levels applicants may ask for. None, until staff say so."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Offer no level that is there already."""
    offered = sa.Column("offered", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("access_levels", offered)


def downgrade() -> None:
    """Forget which were offered; the levels stay, and so does what people wish."""
    op.drop_column("access_levels", "offered")
