"""How an import can be asked for, how it can end, and why it can fail."""

from enum import StrEnum


class FailureKind(StrEnum):
    """Why a feed could not be imported. Stored on the feed; `label` says it in words."""

    INVALID_URL = "invalid_url"
    REFUSED_ADDRESS = "refused_address"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    REDIRECT = "redirect"
    TOO_LARGE = "too_large"
    ENCODING = "encoding"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    LEGAL = "legal"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    TOO_MANY = "too_many"
    GONE = "gone"
    NOT_A_FEED = "not_a_feed"
    HOSTILE = "hostile"
    DATABASE = "database"

    @property
    def label(self) -> str:
        return FAILURE_LABELS[self]


FAILURE_LABELS = {
    FailureKind.INVALID_URL: "not an http or https URL",
    FailureKind.REFUSED_ADDRESS: "the address may not be fetched from",
    FailureKind.DNS: "the host name does not resolve",
    FailureKind.CONNECT: "no connection",
    FailureKind.TLS: "no trusted TLS connection",
    FailureKind.TIMEOUT: "no complete answer in time",
    FailureKind.PROTOCOL: "not a valid HTTP answer",
    FailureKind.REDIRECT: "redirects lead nowhere",
    FailureKind.TOO_LARGE: "the document is too large",
    FailureKind.ENCODING: "unknown content encoding",
    FailureKind.UNAUTHORIZED: "a login is required (401)",
    FailureKind.FORBIDDEN: "access denied (403)",
    FailureKind.NOT_FOUND: "not found (404)",
    FailureKind.LEGAL: "withheld for legal reasons (451)",
    FailureKind.CLIENT_ERROR: "the request was refused (4xx)",
    FailureKind.SERVER_ERROR: "the server failed (5xx)",
    FailureKind.TOO_MANY: "asked to come back later (429 or 503)",
    FailureKind.GONE: "gone for good (410)",
    FailureKind.NOT_A_FEED: "the document is no feed",
    FailureKind.HOSTILE: "the document is built to do harm",
    FailureKind.DATABASE: "the database refuses what was imported",
}


FAILURE_GROUPS = {
    "the network": frozenset({FailureKind.DNS, FailureKind.CONNECT, FailureKind.TLS, FailureKind.TIMEOUT}),
    "the server refuses": frozenset(
        {
            FailureKind.UNAUTHORIZED,
            FailureKind.FORBIDDEN,
            FailureKind.LEGAL,
            FailureKind.CLIENT_ERROR,
            FailureKind.TOO_MANY,
        }
    ),
    "the server fails": frozenset({FailureKind.SERVER_ERROR, FailureKind.PROTOCOL, FailureKind.REDIRECT}),
    "nothing is there": frozenset({FailureKind.NOT_FOUND, FailureKind.GONE}),
    "the document": frozenset(
        {FailureKind.NOT_A_FEED, FailureKind.HOSTILE, FailureKind.TOO_LARGE, FailureKind.ENCODING}
    ),
    "our own side": frozenset({FailureKind.INVALID_URL, FailureKind.REFUSED_ADDRESS, FailureKind.DATABASE}),
}


class AskedBy(StrEnum):
    """The askers of imports, as the history has them."""

    SCHEDULE = "schedule"
    PERSON = "person"  # in the admin, or with a command
    CODE = "code"  # anybody's, by a message or a call


class Outcome(StrEnum):
    """How one import ended."""

    IMPORTED = "imported"  # the document was new; entries may have been added or changed
    UNCHANGED = "unchanged"  # 304, or the same bytes as last time
    FAILED = "failed"  # recorded on the feed; the schedule tries again
    COVERED = "covered"  # a check that began after the request was made has answered it, or soon will
    SUPERSEDED = "superseded"  # somebody else imported the feed meanwhile; nothing was written
    DISCOVERED = "discovered"  # the document is a page that names a feed: that one is imported next
    DELAYED = "delayed"  # the host is busy; the message went back with its slot as delay
    PAUSED = "paused"  # the feed is switched off
    DELETED = "deleted"  # the feed was deleted after the request was made
