"""The bytes of a document and its Content-Type in, UTF-8 out; and texts and documents without what XML forbids."""

import codecs
import re
from collections.abc import Iterator

# The longer marks first: UTF-32 LE begins like UTF-16 LE.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# How "<?" or "<r" look without a mark.
_SHAPES = (
    (re.compile(rb"<\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0<"), "utf-32-be"),
    (re.compile(rb"<\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"\0<\0[^\0]"), "utf-16-be"),
)
# What a label means in the wild (https://encoding.spec.whatwg.org/#names-and-labels).
_SUPERSETS = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949"}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s\"';]+)", re.IGNORECASE)
_DECLARED = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
# Python's own, no charsets of documents: punycode and idna are quadratic, the escapes decode to anything.
_UNWANTED = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})
# XML 1.0 §2.2 allows no other character below the space than tab, line feed and carriage return.
_FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0x7F, 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)])
_FORBIDDEN_PATTERN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_NONCHARACTERS = re.compile(b"\xef\xbf[\xbe\xbf]")
_FORBIDDEN_BYTES = bytes(n for n in _FORBIDDEN if n < 0x80)


def to_utf8(body: bytes, content_type: str) -> bytes:
    """Return a document in UTF-8: by its mark, the server's charset, its declaration, or as it fits.

    The mark comes first by RFC 7303 §3; windows-1252 fits always. DEL, which XML allows, is left out.
    """
    encoding, text = _decoded(body, content_type)
    body = body if encoding == "utf-8" else text.encode("utf-8", "ignore")
    return body.removeprefix(codecs.BOM_UTF8).replace(b"\x7f", b"")


def without_forbidden_bytes(body: bytes) -> bytes:
    """Return a document in UTF-8 without control characters, U+FFFE and U+FFFF: well-formed XML has none of them."""
    return _NONCHARACTERS.sub(b"", body.translate(None, _FORBIDDEN_BYTES))


def without_forbidden(text: str) -> str:
    """Return the text without NUL, surrogates and control characters."""
    return text.translate(_FORBIDDEN) if _FORBIDDEN_PATTERN.search(text) else text


def _decoded(body: bytes, content_type: str) -> tuple[str, str]:
    for encoding in map(_codec, _labels(body, content_type)):
        try:
            return encoding, body.decode(encoding)
        except (LookupError, ValueError):  # no such codec, one that makes no text, or other bytes
            continue
    return "cp1252", body.decode("cp1252", "replace")


def _labels(body: bytes, content_type: str) -> Iterator[str]:
    yield from (encoding for mark, encoding in _MARKS if body.startswith(mark))
    yield from (encoding for shape, encoding in _SHAPES if shape.match(body))
    if charset := _CHARSET.search(content_type):
        yield charset[1]
    if declared := _DECLARED.match(body):
        yield declared[1].decode("ascii")
    yield "utf-8"


def _codec(label: str) -> str:
    """Return Python's name for what a label means, "" for what is no charset."""
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    return "" if name in _UNWANTED else _SUPERSETS.get(name, name)
