"""The development mailbox: reading the letters of a portal that has no mail server."""

from __future__ import annotations

import re

from flask import Blueprint, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from portal import settings
from portal.database import db
from portal.mail import mailbox
from portal.mail.mailbox import CapturedMail

blueprint = Blueprint("mailbox", __name__, url_prefix="/dev/mailbox")

PAGE = 25
LAST_PAGE = 10_000

# Nothing runs, nothing is fetched, nothing is sent; links open in a window of their own.
LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
_LINK = re.compile(r"https?://[^\s<>\"]+")


@blueprint.before_request
def _only_here() -> None:
    if not mailbox.available(request):
        abort(404)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """List letters, newest first, or those to one address."""
    address = request.args.get("address", "").strip()[:254].replace("\0", "")
    page = _page()
    rows = db.session.scalars(
        mailbox.letters_to(address).limit(PAGE + 1).offset((page - 1) * PAGE)
    ).all()
    return render_template(
        "pages/mailbox.html",
        letters=rows[:PAGE],
        address=address,
        newer=_list_url(address, page - 1) if page > 1 else None,
        older=_list_url(address, page + 1) if len(rows) > PAGE else None,
    )


@blueprint.get("/<int:letter_id>")
def letter(letter_id: int) -> ResponseReturnValue:
    """Show one letter: as it looks, its links, its text and its headers."""
    found = _letter(letter_id)
    text = found.part("plain")
    return render_template(
        "pages/mailbox_letter.html",
        letter=found,
        links=_links_in(text),
        text_part=_with_links(text),
        headers="\n".join(f"{name}: {value}" for name, value in found.parsed().items()),
    )


@blueprint.get("/<int:letter_id>/html")
def part(letter_id: int) -> ResponseReturnValue:
    """Give the HTML of a letter, locked up, for the frame on its page."""
    # The frame may not leave its own window, so its links open another.
    html = _letter(letter_id).part("html").replace("<head>", '<head><base target="_blank">', 1)
    return Response(
        html,
        mimetype="text/html",
        headers={"Content-Security-Policy": LETTER_POLICY, "X-Frame-Options": "SAMEORIGIN"},
    )


@blueprint.get("/<int:letter_id>/source")
def source(letter_id: int) -> ResponseReturnValue:
    """Give the letter as a mail server would have got it, as a file."""
    found = _letter(letter_id)
    response = Response(found.content, mimetype="message/rfc822")
    response.headers["Content-Disposition"] = f'attachment; filename="letter-{found.id}.eml"'
    return response


def _letter(letter_id: int) -> CapturedMail:
    if letter_id > 2**31 - 1:
        abort(404)
    found = db.session.get(CapturedMail, letter_id)
    if found is None:
        abort(404)
    return found


def _page() -> int:
    page = request.args.get("page", "1")
    if not (page.isascii() and page.isdigit() and 1 <= int(page[:9]) <= LAST_PAGE):
        abort(404)
    return int(page)


def _list_url(address: str, page: int) -> str:
    return url_for("mailbox.index", address=address or None, page=page if page > 1 else None)


def _links_in(text: str) -> list[str]:
    """Where a letter leads, besides home."""
    found = dict.fromkeys(_LINK.findall(text))
    found.pop(settings.current().public_url, None)
    return list(found)


def _with_links(text: str) -> Markup:
    """A letter's text with its links made to work."""
    pieces, end = [], 0
    for found in _LINK.finditer(text):
        link = Markup('<a href="{0}">{0}</a>').format(found.group())
        pieces += [escape(text[end : found.start()]), link]
        end = found.end()
    return Markup("").join([*pieces, escape(text[end:])])
