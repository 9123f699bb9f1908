"""Cautions: what works, but is probably not what the operator meant."""

from __future__ import annotations

from portal import revisions
from portal.settings import Settings


def cautions(ours: Settings) -> list[str]:
    """Name each in one sentence."""
    found = []
    if ours.mail.effective_transport == "mailbox" and not ours.mailbox_enabled:
        found.append(
            f"Mails are kept but nobody can read them: bind is {ours.bind}, and the mailbox is "
            "shown on a loopback address only. Set server in [mail]."
        )
    if not ours.is_https and not ours.public_is_loopback:
        found.append("public_url is not https: passwords and cookies travel in the clear.")
    if ours.is_https and not ours.server.proxy_hops:
        found.append(
            "public_url is https, but server.proxy_hops is 0: the proxy in front is not believed, "
            "and everybody seems to come from its address."
        )
    if ours.is_https and ours.server.hsts_subdomains and ours.public_host.count(".") == 1:
        found.append(
            f"public_url is at the top of a domain: browsers will reach every host below "
            f"{ours.public_host} over https alone. Set server.hsts_subdomains = false if one of "
            "them speaks plain http."
        )
    if ours.server.workers > 1 and not ours.redis.url:
        found.append("server.workers is above 1 without [redis]: limits count per process.")
    if not ours.limits.enabled:
        found.append("limits.enabled is false: passwords may be guessed without end.")
    origin = ours.origins.get("database.url", "")
    if not origin.startswith("PORTAL_") and _holds_password(ours.database.url):
        found.append(
            f"database.url in {origin} holds a password: PORTAL_DATABASE_URL_FILE keeps it "
            "in a file that only the portal can read."
        )
    return found


def _holds_password(url: str) -> bool:
    return revisions.without_password(url, url) != url
