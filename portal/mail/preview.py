"""A preview: how a mail will look, before anybody sends it, with links that lead nowhere."""

from __future__ import annotations

import re

from portal import settings
from portal.mail.message import Message

_LEADS_SOMEWHERE = re.compile(r"""\shref=("[^"]*"|'[^']*')""")


def preview(message: Message) -> str:
    """The letter as HTML, in its reader's language and direction.

    What stands in its links is for the reader alone: whoever looks at the preview could
    otherwise answer, or sign in, in their place.
    """
    html = _LEADS_SOMEWHERE.sub("", message.html)
    address = re.escape(settings.current().public_url.rstrip("/"))
    return re.sub(rf"({address})/[^\s<>\"']+", r"\1/…", html)
