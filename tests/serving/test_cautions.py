"""Cautions at the start: what works, but is probably not what the operator meant."""

from pathlib import Path

import pytest

from portal.serving.cautions import cautions
from tests.conftest import make_settings


@pytest.mark.parametrize(
    ("url", "subdomains", "told"),
    [
        ("https://example.org/portal", "true", True),
        ("https://example.org", "false", False),
        ("https://portal.example.org", "true", False),
    ],
)
def test_a_portal_at_the_top_of_a_domain_binds_all_hosts_below_it(
    tmp_path: Path, url: str, subdomains: str, told: bool
) -> None:
    ours = make_settings(
        tmp_path,
        PORTAL_PUBLIC_URL=url,
        PORTAL_SERVER_HSTS_SUBDOMAINS=subdomains,
        PORTAL_MAIL_SERVER="mail.example.org",
    )

    assert any("hsts_subdomains" in each for each in cautions(ours)) is told
