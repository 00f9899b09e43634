"""The origins of imports, their outcomes, and the kinds of failures."""

from enum import StrEnum
from typing import Self


class FailureKind(StrEnum):
    """Why a feed could not be imported: its value is stored on the feed, with a label, and the group for people."""

    label: str
    group: str

    def __new__(cls, value: str, group: str = "", label: str = "") -> Self:
        kind = str.__new__(cls, value)
        kind._value_, kind.group, kind.label = value, group, label
        return kind

    INVALID_URL = "invalid_url", "our own side", "not an http or https URL"
    REFUSED_ADDRESS = "refused_address", "our own side", "the address may not be fetched from"
    DNS = "dns", "the network", "the host name does not resolve"
    CONNECT = "connect", "the network", "no connection"
    TLS = "tls", "the network", "no trusted TLS connection"
    TIMEOUT = "timeout", "the network", "no complete answer in time"
    PROTOCOL = "protocol", "the server fails", "not a valid HTTP answer"
    REDIRECT = "redirect", "the server fails", "redirects lead nowhere"
    TOO_LARGE = "too_large", "the document", "the document is too large"
    ENCODING = "encoding", "the document", "unknown content encoding"
    UNAUTHORIZED = "unauthorized", "the server refuses", "a login is required (401)"
    FORBIDDEN = "forbidden", "the server refuses", "access denied (403)"
    NOT_FOUND = "not_found", "nothing is there", "not found (404)"
    LEGAL = "legal", "the server refuses", "withheld for legal reasons (451)"
    CLIENT_ERROR = "client_error", "the server refuses", "the request was refused (4xx)"
    SERVER_ERROR = "server_error", "the server fails", "the server failed (5xx)"
    TOO_MANY = "too_many", "the server refuses", "asked to come back later (429 or 503)"
    GONE = "gone", "nothing is there", "gone for good (410)"
    NOT_A_FEED = "not_a_feed", "the document", "the document is no feed"
    HOSTILE = "hostile", "the document", "the document is built to do harm"
    DATABASE = "database", "our own side", "the database refuses what was imported"


class AskedBy(StrEnum):
    """The origins of requests for imports, as the history stores them."""

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
