"""What a set-up that cannot go on says: one sentence, and the remedy."""

from __future__ import annotations

import errno


class SetupFailed(Exception):
    """Something that a person can put right; shown without a traceback."""

    def __init__(self, sentence: str, remedy: str, output: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy
        self.output = output


# The first row of which a part occurs in a tool's output tells what went wrong.
_SIGNS: list[tuple[tuple[str, ...], str, str]] = [
    (
        ("No space left on device", "ENOSPC", "Disk quota exceeded", "os error 28"),
        "the disk is full",
        "Free about 1 GB where this folder and the temporary files are, then run this again.",
    ),
    (
        ("Read-only file system", "EROFS", "os error 30"),
        "this folder cannot be written to",
        "Set the portal up where it can be written to; it may be made read-only afterwards.",
    ),
    (
        ("DO NOT MATCH THE HASHES", "Hash mismatch", "EINTEGRITY"),
        "a package differs from the one that the lock file describes",
        "Do not go on: the package index or a proxy delivers something else. "
        "Try another network or index, and tell those who run it.",
    ),
    (
        (
            "CERTIFICATE_VERIFY_FAILED",
            "UNABLE_TO_GET_ISSUER_CERT",
            "SELF_SIGNED_CERT",
            "invalid peer certificate",
        ),
        "the package index showed a certificate that is not trusted here",
        "Behind a proxy that opens TLS, point PIP_CERT, SSL_CERT_FILE and NODE_EXTRA_CA_CERTS "
        "to its certificate.",
    ),
    (
        (
            "Temporary failure in name resolution",
            "Name or service not known",
            "nodename nor servname",
            "getaddrinfo",
            "Max retries exceeded",
            "NewConnectionError",
            "ConnectTimeout",
            "Connection refused",
            "Network is unreachable",
            "Read timed out",
            "Retrying (Retry",
            "ENOTFOUND",
            "EAI_AGAIN",
            "ECONNREFUSED",
            "ECONNRESET",
            "ETIMEDOUT",
            "ENETUNREACH",
            "dns error",
            "error sending request",
            "failed to fetch",
        ),
        "the package index cannot be reached",
        "Connect to the network (or set PIP_INDEX_URL, npm_config_registry or HTTPS_PROXY) "
        "and run this again. Only the first set-up, and one after an update, needs the network.",
    ),
    (
        ("Permission denied", "EACCES", "EPERM", "os error 13"),
        "a file or folder belongs to somebody else",
        "Run this as the owner of the folder, or give the folder to yourself (chown -R).",
    ),
    (
        ("No matching distribution found", "No solution found", "notarget", "ETARGET", "E404"),
        "the package index does not offer what the lock file names",
        "Use an index that mirrors all of PyPI and npm, and a Python that the packages have "
        "wheels for: 3.11 is sure.",
    ),
]


def explain(what: str, output: str) -> SetupFailed:
    """Read the output of a tool that failed, and say what was wrong with what to do about it."""
    for signs, reason, remedy in _SIGNS:
        if any(sign in output for sign in signs):
            return SetupFailed(f"{what}: {reason}.", remedy, output)
    return SetupFailed(
        f"{what}, for a reason that the lines above tell.",
        "Put that right and run this again; `make clean` starts over without losing data.",
        output,
    )


def explain_os_error(what: str, error: OSError) -> SetupFailed:
    """The same for an error that the operating system reported to us."""
    names = {
        errno.ENOSPC: "ENOSPC",
        errno.EDQUOT: "ENOSPC",
        errno.EROFS: "EROFS",
        errno.EACCES: "EACCES",
        errno.EPERM: "EPERM",
    }
    found = explain(what, names.get(error.errno or 0, ""))
    found.output = "" if error.errno in names else str(error)
    return found
