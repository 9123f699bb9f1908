"""Where a redirect may lead: own pages only, whatever a link or a form asks for."""

from __future__ import annotations

from urllib.parse import urlsplit


def local_target(url: str | None) -> str | None:
    """The path to go to, or None when it could lead elsewhere (ASVS 3.7.2; H).

    Takes absolute paths on this site alone: no scheme, no host, no second slash, no
    backslash, no control character, which browsers read in ways that servers do not.
    """
    if not url or len(url) > 2000 or not url.startswith("/"):
        return None
    if url.startswith("//") or "\\" in url or any(ord(c) <= 32 or ord(c) == 127 for c in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme or parts.netloc:
        return None
    return url
