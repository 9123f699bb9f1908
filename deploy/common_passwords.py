"""The table of common passwords, made of a list with one in each line.

python -m deploy.common_passwords LIST
"""

from __future__ import annotations

import sys
from pathlib import Path

from portal.accounts import common_passwords


def make(source: Path) -> int:
    """Make the table that the portal reads. Returns how many passwords it holds."""
    words = source.read_text("utf-8").splitlines()
    return common_passwords.write(words, common_passwords.FILE)


if __name__ == "__main__":
    print(make(Path(sys.argv[1])), "passwords")
