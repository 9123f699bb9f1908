"""Tokens of mailed links stay out of access logs: ours, and those of the shipped proxy files."""

import re

import pytest

from portal.serving.access_log import masked
from portal.settings import ROOT

TOKEN = "WyJhYmMi.x-y_z~1"


def by_nginx(path: str) -> str:
    """What `$portal_path` of the shipped file holds; its map takes PCRE, which Python reads too."""
    text = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    (pattern,) = re.findall(r'"~(\^.*)" \$portal_door\*\*\*;', text)
    found = re.search(pattern.replace("(?<", "(?P<"), path)
    return f"{found['portal_door']}***" if found else path


def by_caddy(path: str) -> str:
    """What the filter of the shipped file leaves of an address with its query."""
    text = (ROOT / "deploy" / "Caddyfile").read_text("utf-8")
    (pattern,) = re.findall(r'request>uri regexp "(.*)" "\$\{1\}\*\*\*"', text)
    return re.sub(pattern, lambda found: f"{found[1] or ''}***", f"{path}?email=hush")


@pytest.mark.parametrize("log", [masked, by_nginx, by_caddy])
def test_every_page_whose_address_holds_a_token_is_masked(app, log):
    rules = [rule for rule in app.url_map.iter_rules() if "token" in rule.arguments]
    assert len(rules) >= 10

    for rule in rules:
        path = rule.rule.replace("<token>", TOKEN)
        for address in (path, f"/portal{path}"):
            assert TOKEN not in log(address), (rule, log(address))
            assert "hush" not in log(address)
            assert rule.rule.partition("<")[0] in log(address), "which page it was stays readable"
