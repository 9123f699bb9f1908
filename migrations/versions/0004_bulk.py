"""The bulk: a decision names the one that it was made in, and a bulk the one that it undoes."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Which a rebuild on SQLite would bring back without their conditions.
PARTIAL = {
    "decisions": ("ix_decisions_at_id", ["at", "id"], "undone_at IS NULL"),
    "bulks": ("ix_bulks_open", ["asked_at"], "finished_at IS NULL"),
}


def upgrade() -> None:
    """Add both references. What is there already was made one by one."""
    _add("decisions", "bulk_id", ondelete="SET NULL")
    op.create_index("ix_decisions_bulk_id", "decisions", ["bulk_id"])
    _add("bulks", "undoes_id", ondelete="CASCADE")
    op.create_index("uq_bulks_undoes_id", "bulks", ["undoes_id"], unique=True)


def downgrade() -> None:
    """Take them away; bulks and decisions stay."""
    op.drop_index("uq_bulks_undoes_id", "bulks")
    _remove("bulks", "undoes_id")
    op.drop_index("ix_decisions_bulk_id", "decisions")
    _remove("decisions", "bulk_id")


def _add(table: str, column: str, *, ondelete: str) -> None:
    _drop_partial_index(table)
    with op.batch_alter_table(table, recreate=_on_sqlite()) as batch:
        batch.add_column(sa.Column(column, sa.Integer(), nullable=True))
        batch.create_foreign_key(
            f"fk_{table}_{column}_bulks", "bulks", [column], ["id"], ondelete=ondelete
        )
    _make_partial_index(table)


def _remove(table: str, column: str) -> None:
    _drop_partial_index(table)
    with op.batch_alter_table(table, recreate=_on_sqlite()) as batch:
        batch.drop_constraint(f"fk_{table}_{column}_bulks", type_="foreignkey")
        batch.drop_column(column)
    _make_partial_index(table)


def _drop_partial_index(table: str) -> None:
    op.drop_index(PARTIAL[table][0], table)


def _make_partial_index(table: str) -> None:
    name, columns, where = PARTIAL[table]
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def _on_sqlite() -> str:
    return "always" if op.get_bind().dialect.name == "sqlite" else "never"
