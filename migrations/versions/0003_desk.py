"""The desk: reviews, questions, notes, decisions, and what else reviewers share."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


# What staff begin from, by purpose and name, in each language that the portal speaks.
TEXTS = (
    (
        "rejection",
        "No need shown",
        {
            "en": "We could not see from your request what you need access for.",
            "de": "Aus Ihrem Antrag ging nicht hervor, wofür Sie den Zugang brauchen.",
            "es": "Su solicitud no explica para qué necesita el acceso.",
            "ar": "لم يتضح لنا من طلبك سبب حاجتك إلى الوصول.",
        },
    ),
    (
        "rejection",
        "Not from our organisation",
        {
            "en": "Accounts are for people who work here or with us, and we could not tell that"
            " you do.",
            "de": "Konten sind für Menschen, die bei uns oder mit uns arbeiten; das konnten wir"
            " bei Ihnen nicht feststellen.",
            "es": "Las cuentas son para quienes trabajan aquí o con nosotros, y no hemos podido"
            " comprobar que sea su caso.",
            "ar": "الحسابات مخصصة لمن يعملون هنا أو معنا، ولم نتمكن من التحقق من ذلك.",
        },
    ),
    (
        "rejection",
        "Has an account already",
        {
            "en": "You have an account with another address already. Sign in with that one.",
            "de": "Sie haben schon ein Konto mit einer anderen Adresse. Melden Sie sich damit an.",
            "es": "Ya tiene una cuenta con otra dirección. Inicie sesión con ella.",
            "ar": "لديك حساب بالفعل بعنوان آخر. سجّل الدخول به.",
        },
    ),
    (
        "question",
        "What for",
        {
            "en": "What do you want to use, and what for?",
            "de": "Was möchten Sie nutzen, und wofür?",
            "es": "¿Qué desea usar y para qué?",
            "ar": "ما الذي تريد استخدامه، ولأي غرض؟",
        },
    ),
    (
        "question",
        "Who knows you",
        {
            "en": "Who in our organisation works with you and can vouch for you?",
            "de": "Wer in unserer Organisation arbeitet mit Ihnen und kann für Sie bürgen?",
            "es": "¿Quién de nuestra organización trabaja con usted y puede dar referencias?",
            "ar": "من في مؤسستنا يعمل معك ويمكنه أن يزكّيك؟",
        },
    ),
)


def upgrade() -> None:
    """Make the tables, and lay what is registered already on the desk."""
    _make_tables()
    _let_mail_be_recognised()
    _let_notifications_be_for_one()
    _lay_on_the_desk()
    _write_texts()


def downgrade() -> None:
    """Remove them; what staff wrote at the desk is lost, what was decided stays."""
    op.execute("DELETE FROM notifications WHERE kind <> 'new_registration'")
    op.execute("DELETE FROM mails WHERE channel <> 'mail'")
    op.drop_index("uq_notifications_open", "notifications")
    op.drop_index("uq_notifications_open_for_one", "notifications")
    with op.batch_alter_table("notifications", recreate=_on_sqlite()) as batch:
        batch.drop_constraint("fk_notifications_for_id_users", type_="foreignkey")
        batch.drop_column("for_id")
    _partial_index(
        "uq_notifications_open",
        "notifications",
        ["kind", "about_id"],
        where="settled_at IS NULL",
        unique=True,
    )
    for table in (
        "mail_openings",
        "decisions",
        "bulk_items",
        "workplaces",
        "saved_filters",
        "reviews",
        "request_traces",
        "questions",
        "notes",
        "mailed_codes",
        "fingerprints",
        "claims",
        "bulks",
        "standard_text_variants",
        "standard_texts",
        "silenced_addresses",
    ):
        op.drop_table(table)
    op.drop_index("uq_mails_ticket", "mails")
    for column in ("used_at", "channel", "ticket"):
        op.drop_column("mails", column)


def _let_mail_be_recognised() -> None:
    op.add_column("mails", sa.Column("ticket", sa.String(length=32), nullable=True))
    op.add_column(
        "mails", sa.Column("channel", sa.String(length=8), nullable=False, server_default="mail")
    )
    op.add_column("mails", sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("uq_mails_ticket", "mails", ["ticket"], unique=True)


def _let_notifications_be_for_one() -> None:
    op.drop_index("uq_notifications_open", "notifications")
    with op.batch_alter_table("notifications", recreate=_on_sqlite()) as batch:
        batch.add_column(sa.Column("for_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(
            "fk_notifications_for_id_users", "users", ["for_id"], ["id"], ondelete="CASCADE"
        )
    _partial_index(
        "uq_notifications_open",
        "notifications",
        ["kind", "about_id"],
        where="settled_at IS NULL AND for_id IS NULL",
        unique=True,
    )
    _partial_index(
        "uq_notifications_open_for_one",
        "notifications",
        ["for_id", "kind", "about_id"],
        where="settled_at IS NULL AND for_id IS NOT NULL",
        unique=True,
    )


def _lay_on_the_desk() -> None:
    """A review for everybody, the decisions that the trail tells of, and the domains.

    What else registrations are compared by needs the instance's key; it begins with new ones.
    """
    op.execute(
        "INSERT INTO reviews (user_id, waiting_since, version)"
        " SELECT id, CASE WHEN status = 'pending' THEN confirmed_at END, 0"
        " FROM users WHERE erased_at IS NULL"
    )
    for verdict, fact in (("approved", "approved_at"), ("rejected", "rejected_at")):
        level = "users.access_level_id" if verdict == "approved" else "NULL"
        op.execute(
            "INSERT INTO decisions"  # nosec B608 # joined from what stands here alone
            " (user_id, verdict, by_id, at, waiting_since, waited_seconds,"
            " level_id, undoable_until)"
            f" SELECT users.id, '{verdict}', entry.by_id, entry.at, users.confirmed_at,"
            f" {_seconds('entry.at', 'COALESCE(users.confirmed_at, entry.at)')}, {level}, entry.at"
            " FROM users JOIN audit_entries AS entry ON entry.id = ("
            "  SELECT MAX(id) FROM audit_entries"
            f"  WHERE about_id = users.id AND action = 'account.{verdict}')"
            f" WHERE users.erased_at IS NULL AND users.{fact} IS NOT NULL"
        )
    domain = (
        "substr(email_canonical, instr(email_canonical, '@') + 1)"
        if op.get_bind().dialect.name == "sqlite"
        else "split_part(email_canonical, '@', 2)"
    )
    op.execute(
        "INSERT INTO request_traces (user_id, kind, value)"  # nosec B608 # from the two above
        f" SELECT id, 'domain', {domain} FROM users WHERE erased_at IS NULL"
    )


def _write_texts() -> None:
    texts = sa.table(
        "standard_texts",
        sa.column("id"),
        sa.column("purpose"),
        sa.column("name"),
        sa.column("position"),
    )
    variants = sa.table(
        "standard_text_variants", sa.column("text_id"), sa.column("language"), sa.column("body")
    )
    for position, (purpose, name, bodies) in enumerate(TEXTS, start=1):
        op.execute(sa.insert(texts).values(purpose=purpose, name=name, position=position))
        text_id = sa.select(texts.c.id).filter_by(purpose=purpose, name=name).scalar_subquery()
        for language, body in bodies.items():
            op.execute(sa.insert(variants).values(text_id=text_id, language=language, body=body))


def _seconds(later: str, earlier: str) -> str:
    if op.get_bind().dialect.name == "sqlite":
        return f"MAX(0, CAST((julianday({later}) - julianday({earlier})) * 86400 AS INTEGER))"
    return f"GREATEST(0, EXTRACT(EPOCH FROM {later} - {earlier}))::integer"


def _on_sqlite() -> str:
    return "always" if op.get_bind().dialect.name == "sqlite" else "never"


def _partial_index(
    name: str, table: str, columns: list[str], *, where: str, unique: bool = False
) -> None:
    condition = sa.text(where)
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )


def _folded(length: int) -> sa.String:
    """Text that is compared byte by byte whatever the database's collation."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _make_tables() -> None:
    op.create_table(
        "silenced_addresses",
        sa.Column("fingerprint", _folded(64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_silenced_addresses"),
    )
    op.create_table(
        "standard_texts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('rejection', 'question')", name="ck_standard_texts_purpose"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_standard_texts"),
        sa.UniqueConstraint("purpose", "name", name="uq_standard_texts_purpose_name"),
    )
    op.create_table(
        "standard_text_variants",
        sa.Column("text_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["text_id"],
            ["standard_texts.id"],
            name="fk_standard_text_variants_text_id_standard_texts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("text_id", "language", name="pk_standard_text_variants"),
    )
    op.create_table(
        "bulks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deed", sa.String(length=20), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "deed IN ('approval', 'rejection', 'confirmation_mail', 'undo')", name="ck_bulks_deed"
        ),
        sa.ForeignKeyConstraint(
            ["by_id"], ["users.id"], name="fk_bulks_by_id_users", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bulks"),
    )
    op.create_index("ix_bulks_by_id_asked_at", "bulks", ["by_id", "asked_at"])
    _partial_index("ix_bulks_open", "bulks", ["asked_at"], where="finished_at IS NULL")

    op.create_table(
        "claims",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["by_id"], ["users.id"], name="fk_claims_by_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_claims_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name="pk_claims"),
    )
    op.create_index("ix_claims_by_id", "claims", ["by_id"])

    op.create_table(
        "fingerprints",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", _folded(64), nullable=False),
        sa.Column("past", sa.String(length=12), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("past IN ('rejected', 'erased')", name="ck_fingerprints_past"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_fingerprints_user_id_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_fingerprints"),
    )
    op.create_index("ix_fingerprints_user_id", "fingerprints", ["user_id"])
    op.create_index("ix_fingerprints_value", "fingerprints", ["value", "at"])

    op.create_table(
        "mailed_codes",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.CheckConstraint("tries_left >= 0", name="ck_mailed_codes_tries_left"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_mailed_codes_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "purpose", name="pk_mailed_codes"),
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["by_id"], ["users.id"], name="fk_notes_by_id_users", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_notes_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
    )
    op.create_index("ix_notes_by_id", "notes", ["by_id"])
    op.create_index("ix_notes_user_id_at_id", "notes", ["user_id", "at", "id"])

    op.create_table(
        "questions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["by_id"], ["users.id"], name="fk_questions_by_id_users", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_questions_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_questions"),
    )
    op.create_index("ix_questions_by_id", "questions", ["by_id"])
    _partial_index(
        "ix_questions_open_asked_at",
        "questions",
        ["asked_at"],
        where="answered_at IS NULL AND closed_at IS NULL",
    )
    op.create_index("ix_questions_user_id_asked_at", "questions", ["user_id", "asked_at"])
    _partial_index(
        "uq_questions_open",
        "questions",
        ["user_id"],
        where="answered_at IS NULL AND closed_at IS NULL",
        unique=True,
    )

    op.create_table(
        "request_traces",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", _folded(253), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_request_traces_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "kind", "value", name="pk_request_traces"),
    )
    op.create_index(
        "ix_request_traces_kind_value_user_id", "request_traces", ["kind", "value", "user_id"]
    )

    op.create_table(
        "reviews",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("wished_level_id", sa.Integer(), nullable=True),
        sa.Column("seconds_to_fill_in", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "asked_at IS NULL OR waiting_since IS NOT NULL", name="ck_reviews_asked_in_waiting"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_reviews_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["wished_level_id"],
            ["access_levels.id"],
            name="fk_reviews_wished_level_id_access_levels",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("user_id", name="pk_reviews"),
    )
    _partial_index(
        "ix_reviews_asked", "reviews", ["asked_at", "user_id"], where="asked_at IS NOT NULL"
    )
    _partial_index(
        "ix_reviews_ready",
        "reviews",
        ["waiting_since", "user_id"],
        where="waiting_since IS NOT NULL AND asked_at IS NULL",
    )
    op.create_index("ix_reviews_wished_level_id", "reviews", ["wished_level_id"])

    op.create_table(
        "saved_filters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(
            ["by_id"], ["users.id"], name="fk_saved_filters_by_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_saved_filters"),
        sa.UniqueConstraint("by_id", "name", name="uq_saved_filters_by_id_name"),
    )
    op.create_table(
        "workplaces",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("notice", sa.String(length=8), nullable=False),
        sa.Column("digest_hour", sa.Integer(), nullable=False),
        sa.Column("quiet_from", sa.Integer(), nullable=False),
        sa.Column("quiet_until", sa.Integer(), nullable=False),
        sa.Column("single_keys", sa.Boolean(), nullable=False),
        sa.Column("digest_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overdue_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("notice IN ('mail', 'digest', 'none')", name="ck_workplaces_notice"),
        sa.CheckConstraint("digest_hour BETWEEN 0 AND 23", name="ck_workplaces_digest_hour"),
        sa.CheckConstraint("quiet_from BETWEEN 0 AND 23", name="ck_workplaces_quiet_from"),
        sa.CheckConstraint("quiet_until BETWEEN 0 AND 23", name="ck_workplaces_quiet_until"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_workplaces_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name="pk_workplaces"),
    )
    op.create_table(
        "bulk_items",
        sa.Column("bulk_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bulk_id"], ["bulks.id"], name="fk_bulk_items_bulk_id_bulks", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_bulk_items_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("bulk_id", "user_id", name="pk_bulk_items"),
    )
    _partial_index(
        "ix_bulk_items_open",
        "bulk_items",
        ["bulk_id", "user_id"],
        where="done_at IS NULL AND refused_at IS NULL",
    )
    op.create_index("ix_bulk_items_user_id", "bulk_items", ["user_id"])

    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=12), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waited_seconds", sa.Integer(), nullable=False),
        sa.Column("level_id", sa.Integer(), nullable=True),
        sa.Column("mail_id", sa.Integer(), nullable=True),
        sa.Column("undoable_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("verdict IN ('approved', 'rejected')", name="ck_decisions_verdict"),
        sa.CheckConstraint("waited_seconds >= 0", name="ck_decisions_waited"),
        sa.ForeignKeyConstraint(
            ["by_id"], ["users.id"], name="fk_decisions_by_id_users", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["level_id"],
            ["access_levels.id"],
            name="fk_decisions_level_id_access_levels",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["mails.id"], name="fk_decisions_mail_id_mails", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_decisions_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )
    _partial_index("ix_decisions_at_id", "decisions", ["at", "id"], where="undone_at IS NULL")
    op.create_index("ix_decisions_by_id_at", "decisions", ["by_id", "at"])
    op.create_index("ix_decisions_level_id", "decisions", ["level_id"])
    op.create_index("ix_decisions_mail_id", "decisions", ["mail_id"])
    op.create_index("ix_decisions_user_id_at", "decisions", ["user_id", "at"])

    op.create_table(
        "mail_openings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mail_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signs", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["mails.id"], name="fk_mail_openings_mail_id_mails", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mail_openings"),
    )
    op.create_index("ix_mail_openings_mail_id_at", "mail_openings", ["mail_id", "at"])
