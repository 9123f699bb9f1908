"""The one clock (H: naive local time): every moment is aware, and nobody asks another one."""

import re
from datetime import UTC

from portal import clock
from portal.settings import ROOT

# How a module would write down a moment without a zone.
NAIVE = re.compile(r"datetime\.(now\(\)|today\(|utcnow\(|utcfromtimestamp\()|date\.today\(")
# How it would ask a clock that tests cannot move; serving talks to the machine, not to people.
ANOTHER = re.compile(r"datetime\.now\(")


def where(pattern: re.Pattern[str]) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for folder in ("portal", "admin_views", "migrations")
        for path in (ROOT / folder).rglob("*.py")
        if pattern.search(path.read_text("utf-8"))
    }


def test_now_is_aware_and_in_utc():
    assert clock.now().tzinfo is UTC


def test_no_module_writes_a_moment_without_a_zone():
    assert where(NAIVE) == set()


def test_no_module_of_the_domain_asks_another_clock():
    asked = {path for path in where(ANOTHER) if not path.startswith("portal/serving/")}

    assert asked <= {"portal/clock.py"}
