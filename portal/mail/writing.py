"""Writing: from three small templates to a finished message in the recipient's language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import cache

from css_inline import CSSInliner
from flask import current_app
from flask_babel import get_locale, get_translations
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from portal import i18n, settings
from portal.mail.message import Message

SUBJECT_LENGTH = 78  # RFC 5322, 2.1.1

# Whoever registers chooses the name, and we mail it to an address they may not own. So a name
# that greets is letters and what stands between them, short, and nothing that a mail program
# makes a link of.
NAME_LENGTH = 60
_NOT_IN_NAMES = re.compile(r"[^\w\s·'’.\-\u200c\u200d]|[\d_]|\w\.\w{2}")

# Shows nothing, allows no line to break, and ends what a mail program takes for a host.
WORD_JOINER = "\u2060"


def write(
    kind: str,
    *,
    to: str,
    language: str,
    full_name: str = "",
    time_zone: str = "",
    user_id: int | None = None,
    expires_at: datetime | None = None,
    ticket: str = "",
    **context: object,
) -> Message:
    """Write one mail from `templates/mail/<kind>/`, in a language and a time zone."""
    with i18n.mail_locale(language, time_zone):
        code = str(get_locale())
        context |= {
            "site": settings.current().site,
            "home": settings.current().public_url,
            "locale": i18n.tag(code),
            "direction": i18n.direction(code),
            "name": full_name if is_greetable(full_name) else "",
            "expires_at": expires_at,
            "quoted": _quoted,
            **_texts(),
        }
        subject = _one_line(_render(kind, "subject.txt", context, _isolated_text(code)))
        context["subject"] = subject
        return Message(
            kind=kind,
            to=to,
            language=code,
            subject=subject,
            text=_tidy(_render(kind, "body.txt", context, _isolated_text(code))),
            html=_inliner().inline(_render(kind, "body.html", context, _isolated_html)),
            user_id=user_id,
            expires_at=expires_at,
            ticket=ticket,
        )


def is_greetable(full_name: str) -> bool:
    """Tell whether a name may stand in a mail: short, of letters, nothing that becomes a link."""
    name = unicodedata.normalize("NFC", full_name)
    letters = "".join(sign for sign in name if not unicodedata.category(sign).startswith("M"))
    return len(name) <= NAME_LENGTH and not _NOT_IN_NAMES.search(letters)


def unlinked(username: str) -> str:
    """Spell a username so that it reads the same and no mail program makes a link of it.

    Copied from the mail it still signs in: `canonical.username` leaves the joiners out.
    """
    return username.replace(".", f".{WORD_JOINER}")


def _render(
    kind: str, part: str, context: dict[str, object], isolated: Callable[[object], str]
) -> str:
    # Straight from the environment: what pages get from context processors (menus, the person
    # signed in) belongs to whoever causes the mail, not to whom it goes.
    template = current_app.jinja_env.get_template(f"mail/{kind}/{part}")
    return template.render(context, bdi=isolated)


def _texts() -> dict[str, Callable[..., str]]:
    """What templates translate with, in one language: looked up once, and not for each sentence.

    That is a fifth of what a letter costs. Like Jinja's own, in its new style.
    """
    spoken = get_translations()

    @pass_eval_context
    def gettext(where: EvalContext, text: str, /, **values: object) -> str:
        return _filled_in(where, spoken.ugettext(text), values)

    @pass_eval_context
    def ngettext(where: EvalContext, one: str, many: str, num: int, /, **values: object) -> str:
        return _filled_in(where, spoken.ungettext(one, many, num), {"num": num, **values})

    return {"gettext": gettext, "ngettext": ngettext}


def _filled_in(where: EvalContext, text: str, values: dict[str, object]) -> str:
    if not where.autoescape:
        return text % values
    # The text is ours, as in a template; what is filled in is escaped.
    return Markup(text) % values  # noqa: S704  # nosec B704


def _isolated_html(value: object) -> str:
    return Markup("<bdi>{}</bdi>").format(value)


def _isolated_text(code: str) -> Callable[[object], str]:
    """In a text that runs from right to left, names and addresses need invisible brackets."""
    if i18n.direction(code) == "rtl":
        return lambda value: f"\u2068{value}\u2069"
    return str


def _quoted(text: str) -> str:
    """What somebody wrote, marked as in an answer to a mail, so that nobody takes it for ours."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def _one_line(subject: str) -> str:
    line = " ".join(subject.split())
    return line if len(line) <= SUBJECT_LENGTH else line[: SUBJECT_LENGTH - 1].rstrip() + "…"


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text.strip()) + "\n"


@cache
def _inliner() -> CSSInliner:
    # Dark mode is a media query, which no attribute can hold: such rules stay in their element.
    return CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
