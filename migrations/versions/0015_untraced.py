"""Registrations that have not left their traces yet: they do when the address is confirmed."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep what they have to be traced by. Whoever is there already has left theirs."""
    op.add_column("reviews", sa.Column("network", sa.String(length=43), nullable=True))
    where = sa.text("network IS NOT NULL")
    op.create_index(
        "ix_reviews_untraced",
        "reviews",
        ["user_id"],
        sqlite_where=where,
        postgresql_where=where,
    )


def downgrade() -> None:
    """Leave the traces that SQL can; the others stay unknown of who is on the way just now."""
    domain = (
        "substr(users.email_canonical, instr(users.email_canonical, '@') + 1)"
        if op.get_bind().dialect.name == "sqlite"
        else "split_part(users.email_canonical, '@', 2)"
    )
    untraced = "FROM reviews JOIN users ON users.id = reviews.user_id WHERE network IS NOT NULL"
    for kind, value, which in (("domain", domain, ""), ("network", "network", "AND network <> ''")):
        op.execute(
            "INSERT INTO request_traces (user_id, kind, value)"  # nosec B608 # from what is above
            f" SELECT users.id, '{kind}', {value} {untraced} {which}"
        )
    op.drop_index("ix_reviews_untraced", "reviews")
    op.drop_column("reviews", "network")
