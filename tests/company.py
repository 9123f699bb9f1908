"""Which tests run in one process, because they share what takes seconds to make.

A browser, a PostgreSQL server, an instance that was started before: each is made once a process,
and where such tests are spread over all of them, in each.
"""

from __future__ import annotations

from zlib import crc32

from xdist.scheduler import LoadScopeScheduling

# Files and folders whose tests share something, and the name of what it is.
SHARED = {
    "tests/browser/": "browser",
    "tests/demo/": "demo",
    "tests/i18n/": "catalogues",
    "tests/mail/test_letters.py": "catalogues",
    "tests/test_i18n.py": "catalogues",
    "tests/serving/": "instance",
    "tests/test_cli.py": "instance",
}
# Too much for one process where there are many of them.
MANY = {"browser", "postgresql"}


class InCompany(LoadScopeScheduling):
    """Gives a process tests that share something in one go, and the others one by one."""

    def _split_scope(self, nodeid: str) -> str:
        """The name of what a test shares; its own for one that may run anywhere."""
        file, _, test = nodeid.partition("::")
        shared = "postgresql" if "postgresql" in test.partition("[")[2] else ""
        for place, name in SHARED.items():
            if nodeid.startswith(place):
                shared = name
        if shared in MANY:
            return f"{shared} {crc32(file.encode()) % max(self.numnodes // 2, 1)}"
        return shared or nodeid
