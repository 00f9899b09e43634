"""The character encoding of a document, which is what fits its bytes, whatever it says; and what XML forbids in texts.

Labels mean what they mean to browsers (https://encoding.spec.whatwg.org/#names-and-labels). They are often wrong, so
they are asked last: text beyond ASCII that is UTF-8 throughout is nothing else, and text that mostly is has broken
bytes, each of which costs one character. Everything here takes one pass over the document, or a few.
"""

import codecs
import re
import zlib
from collections.abc import Iterator
from encodings import normalize_encoding
from encodings.aliases import aliases

import charset_normalizer

# The longer marks first: UTF-32 LE begins like UTF-16 LE.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# How "<?" or "{ " look without a mark (XML 1.0, appendix F; RFC 4627 §3).
_SHAPES = (
    (re.compile(rb"[^\0]\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0[^\0]"), "utf-32-be"),
    (re.compile(rb"[^\0]\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"\0[^\0]\0[^\0]"), "utf-16-be"),
)
_HEAD = 1_024  # bytes in which a document says what it is (HTML §4.2.5.4)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s\"';]+)", re.IGNORECASE)
_DECLARED = re.compile(
    rb"\s*<\?xml\b[^>]{0,200}?\bencoding\s*=\s*[\"']([\w.:-]{1,40})[\"']"
    rb"|[^\0]{0,1000}?<meta\b[^>]{0,200}?\bcharset\s*=\s*[\"']?([\w.:-]{1,40})",
    re.IGNORECASE,
)
# Python remembers each label that it was asked for, known or not; so it is asked for known ones only.
_KNOWN = frozenset({*aliases, *aliases.values(), "cp737", "cp856", "cp874", "koi8_t", "koi8_u"})
# Python's own, no charsets of documents: punycode and idna are quadratic, the escapes decode to anything. And those of
# several bytes that no browser knows.
_UNWANTED = frozenset(
    """
    idna punycode raw-unicode-escape undefined unicode-escape utf-7 mbcs oem hz johab iso2022_kr iso2022_jp_1
    iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext euc_jis_2004 euc_jisx0213 shift_jis_2004 shift_jisx0213
    """.split()  # noqa: SIM905
)
# Python's name -> that of the superset which a label means in the wild.
_SUPERSETS = {
    **{"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874"},
    **{"gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932"},
    **{"big5": "big5hkscs", "cp950": "big5hkscs"},
}
# Labels that Python does not know, in lower-case letters and digits.
_LABELS = {
    **{"xsjis": "cp932", "windows31j": "cp932", "csshiftjis": "cp932", "xeucjp": "euc_jp", "windows949": "cp949"},
    **{"xgbk": "gb18030", "csgb2312": "gb18030", "gb231280": "gb18030", "ksc5601": "cp949", "ksc56011989": "cp949"},
    **{"isoir149": "cp949", "cseuckr": "cp949", "csksc56011987": "cp949", "gb2312": "gb18030"},
    **{"cnbig5": "big5hkscs", "xxbig5": "big5hkscs", "koi": "koi8-r", "koi8": "koi8-r", "koi8ru": "koi8-u"},
    **{"visual": "iso8859-8", "logical": "iso8859-8", "csisolatin9": "iso8859-15", "suneugreek": "iso8859-7"},
    **{"dos874": "cp874", "windows874": "cp874", "xmacroman": "mac-roman", "mac": "mac-roman"},
    **{"csmacintosh": "mac-roman", "xmaccyrillic": "mac-cyrillic", "xmacukrainian": "mac-cyrillic"},
}
_NUMBERED = re.compile(r"(?:x|cs)?(?:(iso8859)|(cp)|windows)(\d{1,4})[ei]?")  # i: in the order of its logic
_MANY_BYTES = frozenset({"big5hkscs", "cp932", "cp949", "euc_jp", "gb18030", "iso2022_jp"})  # of a character
# What a guess is made among: scripts that windows-1252 has no letter of. Between the Latin ones it would be a lottery.
_GUESSED = [
    *("cp1251", "koi8_u", "cp1253", "cp1255", "cp1256", "cp874"),
    *("cp932", "euc_jp", "gb18030", "big5hkscs", "cp949"),
]
_FOREIGN_WORD = re.compile(rb"[\x80-\xff]{4}")
_SAMPLE = 32 * 1024  # bytes that a guess is made from: 4 ms at most
_PIECE = 64 * 1024  # bytes
MAX_BROKEN = 100_000  # characters; what has more is cut off there
_ASCII = bytes(range(128))

GZIP = b"\x1f\x8b"
MAX_MEMBERS = 1_000  # of a gzip file; empty ones take 20 bytes
# The two halves of one character beyond U+FFFF, as programs write them that think in UTF-16; perhaps escaped once more.
_PAIR = re.compile(
    rb"&(?:amp;)?#(?:[xX]0{0,4}(?P<high>[dD][89abAB][0-9a-fA-F]{2})|(?P<HIGH>5[56]\d{3}));"
    rb"&(?:amp;)?#(?:[xX]0{0,4}(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})|(?P<LOW>5[67]\d{3}));"
)
_HALF = re.compile(rb"#(?:[xX]0{0,4}[dD][89abAB]|5[56]\d{3};)")
_PAIR_OF_BYTES = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")  # CESU-8: each half by itself

# XML 1.0 §2.2 allows no other character below the space than tab, line feed and carriage return.
_FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0x7F, 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)])
_FORBIDDEN_PATTERN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_NONCHARACTERS = re.compile(b"\xef\xbf[\xbe\xbf]")
_FORBIDDEN_BYTES = bytes(n for n in _FORBIDDEN if n < 0x80)


def to_utf8(body: bytes, content_type: str = "") -> bytes:
    """Return a document in UTF-8, without a mark. What fits no encoding becomes U+FFFD, one for each broken character.

    DEL, which XML allows, is left out.
    """
    text = _decoded(body, content_type)
    body = body if text is None else text.encode("utf-8", "ignore")
    return body.removeprefix(codecs.BOM_UTF8).replace(b"\x7f", b"")


def without_forbidden_bytes(body: bytes) -> bytes:
    """Return a document in UTF-8 without control characters, U+FFFE and U+FFFF: well-formed XML has none of them."""
    clean = _NONCHARACTERS.sub(b"", body.translate(None, _FORBIDDEN_BYTES))
    return clean if clean != body else body  # not a copy of 10 MiB for nothing


def without_forbidden(text: str) -> str:
    """Return the text without NUL, surrogates and control characters."""
    is_clean = text.isprintable() or not _FORBIDDEN_PATTERN.search(text)
    return text if is_clean else text.translate(_FORBIDDEN)


# What comes before, and what comes after


def ungzipped(body: bytes, limit: int) -> bytes:
    """Return what a document that is a gzip file holds, up to `limit` bytes, and any other document as it is.

    Files are served so without a Content-Encoding. Of one that is damaged or cut short, what can be read is kept.
    """
    if not body.startswith(GZIP):
        return body
    pieces, size, members = [], 0, 1
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    for start in range(0, len(body), _PIECE):
        rest = body[start : start + _PIECE]
        while rest and size < limit and members < MAX_MEMBERS:
            if reader.eof:  # the next member (RFC 1952 §2.2), or what stands behind the last one
                reader, members = zlib.decompressobj(16 + zlib.MAX_WBITS), members + 1
            try:
                pieces.append(reader.decompress(rest, limit - size))
            except zlib.error:
                return b"".join(pieces)
            size += len(pieces[-1])
            rest = reader.unused_data
    return b"".join(pieces)


def joined_surrogates(body: bytes) -> bytes:
    """Return a document in UTF-8 with the character for each pair of references to its surrogates (feedparser #591)."""
    return _PAIR.sub(_joined, body) if _HALF.search(body) else body


def _joined(pair: re.Match[bytes]) -> bytes:
    high = int(pair["high"], 16) if pair["high"] else int(pair["HIGH"])
    low = int(pair["low"], 16) if pair["low"] else int(pair["LOW"])
    if not (0xD800 <= high < 0xDC00 <= low < 0xE000):
        return pair[0]
    return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00).encode()


# The decision


def _decoded(body: bytes, content_type: str) -> str | None:
    """Return the text, or None where the bytes are UTF-8 already."""
    if encoding := _evident(body):
        return _text(body, encoding)
    labels = sorted(filter(None, map(_codec, _labels(body, content_type))), key=_is_default)
    if b"\x1b" in body and "iso2022_jp" in labels:  # which is ASCII to the eye
        return _text(body, "iso2022_jp")
    if _fits(body, "utf-8"):
        return None
    return _repaired(body, labels) or _labelled(body, labels) or _guessed(body)


def _evident(body: bytes) -> str:
    """Return the encoding that the first bytes show, "" if they show none. A mark goes before all (RFC 7303 §3)."""
    marked = (encoding for mark, encoding in _MARKS if body.startswith(mark))
    shaped = (encoding for shape, encoding in _SHAPES if shape.match(body))
    return next(marked, "") or next(shaped, "")


def _repaired(body: bytes, labels: list[str]) -> str:
    """Return the text as UTF-8 with U+FFFD for what is broken, or "" where that is more than what is whole.

    A single character of UTF-8 says much: in windows-1252 it would be "Ã" and a sign. But every sixth pair of bytes of
    an encoding in which a character has two can be one of UTF-8; so where such a label fits, UTF-8 must fit far better.
    """
    body = _PAIR_OF_BYTES.sub(_joined_bytes, body)
    text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd") - body.count(b"\xef\xbf\xbd")
    whole = len(text) - (len(body) - len(body.translate(None, _ASCII))) - broken
    if whole < 4 * broken and any(label in _MANY_BYTES and _fits(body, label) for label in labels):
        return ""
    return text if whole >= broken else ""


def _joined_bytes(pair: re.Match[bytes]) -> bytes:
    halves = pair[0].decode("utf-8", "surrogatepass")
    return halves.encode("utf-16", "surrogatepass").decode("utf-16").encode()


def _fits(body: bytes, encoding: str) -> bool:
    try:
        body.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _labelled(body: bytes, labels: list[str]) -> str:
    """Return the text by the first label that is true; one of single bytes is always, others up to a broken eighth."""
    beyond_ascii = len(body.translate(None, _ASCII))
    for label in labels:
        text = "" if label == "utf-8" else _text(body, label)
        if text and (label not in _MANY_BYTES or text.count("\ufffd") * 8 <= beyond_ascii):
            return text
    return ""


def _guessed(body: bytes) -> str:
    """Return the text as it looks most like one; windows-1252 unless it has words in another script."""
    word = _FOREIGN_WORD.search(body)
    if word is None:
        return _text(body, "cp1252")
    sample = body[max(word.start() - _HEAD, 0) :][:_SAMPLE]
    best = charset_normalizer.from_bytes(
        sample, cp_isolation=_GUESSED, preemptive_behaviour=False, enable_fallback=False
    ).best()
    return _text(body, best.encoding if best else "cp1252")


def _text(body: bytes, encoding: str) -> str:
    """Return the text, with U+FFFD for what is broken; other threads run between its pieces.

    A table has no errors: a call of an error handler takes 300 ns, and ten million of them hold the GIL for 3 s.
    """
    if encoding not in _MANY_BYTES and not encoding.startswith("utf"):
        return codecs.charmap_decode(body, "strict", bytes(range(256)).decode(encoding, "replace"))[0]
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    pieces, broken = [], 0
    for start in range(0, len(body), _PIECE):
        pieces.append(decoder.decode(body[start : start + _PIECE], start + _PIECE >= len(body)))
        broken += pieces[-1].count("\ufffd")
        if broken > MAX_BROKEN:
            break
    return "".join(pieces)


# Labels


def _labels(body: bytes, content_type: str) -> Iterator[str]:
    """Yield what the server and the document call the encoding, as RFC 7303 §3 orders them."""
    if charset := _CHARSET.search(content_type[:_HEAD]):
        yield charset[1]
    if declared := _DECLARED.match(body[:_HEAD]):
        yield (declared[1] or declared[2]).decode("ascii")


def _is_default(codec: str) -> bool:
    """Tell what servers say of all that they serve; so the document's own word, if it is another, goes before it."""
    return codec == "cp1252"


def _codec(label: str) -> str:
    """Return Python's name for what a label means, "" for what is no charset in which "<" is "<"."""
    name = normalize_encoding(label).lower()
    squeezed = name.replace("_", "")
    if squeezed in _LABELS:
        return _LABELS[squeezed]
    if name not in _KNOWN:
        numbered = _NUMBERED.fullmatch(squeezed)
        name = f"{numbered[1] or 'cp'}_{numbered[3]}".replace("cp_", "cp") if numbered else ""
    try:
        name = codecs.lookup(name).name if name in _KNOWN and b"<".decode(name) == "<" else ""
    except (LookupError, ValueError):  # what makes no text, or no character of a byte
        return ""
    return "" if name in _UNWANTED else _SUPERSETS.get(name, name)
