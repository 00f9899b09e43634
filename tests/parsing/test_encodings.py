"""Documents in other encodings than they say, with broken bytes, and in none at all."""

import gzip
import random

import pytest

from feeds.parsing import encodings
from feeds.parsing.encodings import joined_surrogates, to_utf8, ungzipped
from tests.rigs.growth import assert_linear

RUSSIAN = "В среду в порту открылась выставка старых лодок, её посетили более тысячи человек."
FRENCH = "Mercredi, à l’entrée du port : « déjà mille visiteurs » … et l’été n’est pas fini"


def rss(text: str, declared: str = "") -> str:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    return f"{declaration}<rss version='2.0'><channel><title>{text}</title></channel></rss>"


def read(body: bytes, content_type: str = "") -> str:
    return to_utf8(body, content_type).decode()


# What is UTF-8


@pytest.mark.parametrize("label", ["ISO-8859-1", "iso-8859-15", "us-ascii", "windows-1251", "koi8-r", "utf-16", "none"])
@pytest.mark.parametrize("text", [RUSSIAN, FRENCH, "日本"])
def test_utf_8_throughout_beats_a_wrong_label(label: str, text: str) -> None:
    assert read(rss(text).encode(), f"text/xml; charset={label}") == rss(text)
    assert read(rss(text, label).encode()) == rss(text, label)


@pytest.mark.parametrize("length", [0, 1])
def test_utf_16_is_not_believed_of_single_bytes_however_many_they_are(length: int) -> None:
    document = rss("Boats" + " " * length, "utf-16")
    assert read(document.encode(), "text/xml") == document


def test_the_mark_of_utf_8_is_taken_off() -> None:
    assert to_utf8(b"\xef\xbb\xbf" + rss(FRENCH).encode(), "text/xml; charset=iso-8859-1") == rss(FRENCH).encode()


# What is UTF-8 but for some bytes


@pytest.mark.parametrize("content_type", ["text/xml", "text/xml; charset=utf-8", "text/xml; charset=iso-8859-1"])
@pytest.mark.parametrize("broken", [b"\xe9", b"\xd0", b"\xff", b"\xe2\x80", b"\xf0\x9f\x98", b"\x80"])
def test_a_broken_byte_of_utf_8_costs_one_character(broken: bytes, content_type: str) -> None:
    before, after = rss(RUSSIAN).encode().split("лодок".encode())
    assert read(before + broken + after, content_type) == rss(RUSSIAN).replace("лодок", "\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"caf\xc3\xa9 \xed\xa0\xbd\xed\xb8\x80", "café 😀"),  # CESU-8, as old databases write it
        (b"\xed\xa0\xbd\xed\xb8\x80", "😀"),
        (
            b"\xe4\xb8\xad\xe6\x96\x87\xe6\x96\xb0\xe9\x97\xbb\xe4\xb8",
            "中文新闻\N{REPLACEMENT CHARACTER}",
        ),  # cut by bytes
        ("Größe – ".encode() + "Müll".encode("latin-1"), "Größe – M\N{REPLACEMENT CHARACTER}ll"),  # two sources in one
    ],
)
def test_what_is_broken_in_utf_8_is_read_as_far_as_it_can_be(written: bytes, expected: str) -> None:
    assert read(b"<rss>" + written + b"</rss>", "text/xml; charset=utf-8") == f"<rss>{expected}</rss>"


def test_a_few_accents_are_enough_to_know_utf_8_beside_a_broken_byte() -> None:
    assert read("<rss>Café né à ".encode() + b"\xe9</rss>") == "<rss>Café né à \N{REPLACEMENT CHARACTER}</rss>"


def test_a_letter_cut_in_half_at_the_end_costs_that_letter() -> None:
    assert read(rss(RUSSIAN).encode()[:100]).startswith("<rss version='2.0'><channel><title>В среду")


def test_replacement_characters_of_the_publisher_are_no_broken_bytes() -> None:
    document = rss(FRENCH.replace("é", "\N{REPLACEMENT CHARACTER}"))
    assert read(document.encode() + b"\xff") == document + "\N{REPLACEMENT CHARACTER}"


def test_one_latin_letter_in_ascii_is_that_letter() -> None:
    assert read("<rss>Café</rss>".encode("latin-1"), "text/xml; charset=utf-8") == "<rss>Café</rss>"


# What is not


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("windows-1251", "cp1251", RUSSIAN),
        ("koi8-r", "koi8-r", RUSSIAN),
        ("ISO-8859-1", "cp1252", FRENCH),  # which means windows-1252 to all that read the Web
        ("iso-8859-9", "cp1254", "Çarşamba günü “İğne”"),
        ("iso-8859-2", "iso8859-2", "W środę w porcie otwarto wystawę"),
        ("Shift_JIS", "cp932", "水曜日、港で古い船①の展示会"),
        ("x-sjis", "cp932", "水曜日"),
        ("cp-1251", "cp1251", RUSSIAN),  # simplepie/simplepie #354
        ("ISO-8859-8-I", "iso8859-8", "חדשות מהנמל"),
        ("tis-620", "cp874", "ข่าวท่าเรือ"),
        ("ks_c_5601-1987", "cp949", "항구 소식 똠방각하"),
        ("euc-jp", "euc_jp", "水曜日、港で古い船の展示会"),
        ("iso-2022-jp", "iso2022_jp", "水曜日、港で古い船の展示会"),
        ("gb2312", "gb18030", "星期三，港口舉办了旧船展览"),
        ("x-gbk", "gb18030", "星期三，港口举办了旧船展览"),
        ("big5", "big5hkscs", "星期三，港口舉辦了舊船展覽"),
        ("ks_c_5601-1987", "cp949", "수요일에 항구에서 똠방각하"),
        ("windows-874", "cp874", "วันพุธมีการเปิดนิทรรศการ"),
        ("iso88592", "iso8859-2", "W środę"),
    ],
)
def test_a_label_that_may_be_true_is_believed(label: str, codec: str, text: str) -> None:
    body = rss(text).encode(codec)
    assert read(body, f'text/xml; charset="{label}"') == rss(text)
    assert read(rss(text, label).encode(codec), "text/xml; charset=utf-8") == rss(text, label)


def test_the_documents_own_label_goes_before_the_latin_one_of_the_server() -> None:
    body = rss(RUSSIAN, "windows-1251").encode("cp1251")
    assert read(body, "text/xml; charset=ISO-8859-1") == rss(RUSSIAN, "windows-1251")
    assert read(body, "text/xml; charset=koi8-r") != rss(RUSSIAN, "windows-1251")  # RFC 7303 §3


def test_a_broken_byte_costs_one_character_under_a_label_too() -> None:
    before, after = (
        rss("水曜日、港で古い船の展示会が開かれ、千人以上が訪れた").encode("euc_jp").split("、".encode("euc_jp"), 1)
    )
    found = read(before + b"\xff" + after, "text/xml; charset=euc-jp")
    assert "曜日\N{REPLACEMENT CHARACTER}港で古い船" in found


@pytest.mark.parametrize(
    "label", ["rot13", "base64", "idna", "punycode", "unicode_escape", "utf-7", "../x", "x" * 5000]
)
def test_what_is_no_charset_is_no_label(label: str) -> None:
    document = rss("a+AGI-b \\x41 ÄÖ", "")
    assert read(document.encode(), f"text/xml; charset={label}") == document
    assert read(document.encode("latin-1"), f"text/xml; charset={label}") == document


def test_pages_say_their_charset_in_an_element() -> None:
    page = '<!DOCTYPE html><html><head><meta charset="windows-1251"><title>Лодки</title>'
    assert read(page.encode("cp1251"), "text/html") == page
    older = page.replace("charset=", 'http-equiv="Content-Type" content="text/html; charset=')
    assert read(older.encode("cp1251"), "text/html") == older


# What says nothing


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1251", RUSSIAN),
        ("koi8-r", RUSSIAN),
        ("cp1253", "Την Τετάρτη άνοιξε στο λιμάνι μια έκθεση παλιών σκαφών"),
        ("cp932", "水曜日、港で古い船の展示会が開かれ、千人以上が訪れた。"),
        ("euc_jp", "水曜日、港で古い船の展示会が開かれ、千人以上が訪れた。カタカナもあります。"),
        ("big5hkscs", "星期三，港口舉辦了舊船展覽，有一千多人前來參觀。"),
        ("cp949", "수요일에 항구에서 오래된 배 전시회가 열려 천 명 이상이 방문했다."),
    ],
)
def test_without_a_label_a_script_is_found_out(codec: str, text: str) -> None:
    assert read(rss(text).encode(codec)) == rss(text)


@pytest.mark.parametrize("text", [FRENCH, "Müßiggang – „Größe“", "¿Quién irá mañana?", "It’s a “café”"])
def test_without_a_label_latin_letters_are_windows_1252(text: str) -> None:
    assert read(rss(text).encode("cp1252")) == rss(text)


def test_script_that_begins_late_is_found_out_too() -> None:
    text = "An English head. " * 5_000 + RUSSIAN
    assert read(rss(text).encode("cp1251")) == rss(text)


# UTF-16 and UTF-32


@pytest.mark.parametrize("codec", ["utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("document", [rss(RUSSIAN), '{"title": "Лодки"}'])
def test_wide_characters_are_known_by_their_mark_or_shape(codec: str, document: str) -> None:
    assert read(document.encode(codec), "text/xml; charset=utf-8") == document


def test_a_broken_pair_of_utf_16_costs_one_character() -> None:
    body = "<a>Лодки</a>".encode("utf-16").replace("д".encode("utf-16-le"), b"\x00\xd8")
    assert read(body) == "<a>Ло\N{REPLACEMENT CHARACTER}ки</a>"


# Surrogates


@pytest.mark.parametrize(
    "written",
    ["&#xD83D;", "&#xDE00;&#xD83D;", "&#xD83D; &#xDE00;", "&#xD83D;&#xD83D;", "&#56832;&#56832;", "&#57344;#"],
)
def test_half_a_character_stays_as_it_is(written: str) -> None:
    assert joined_surrogates(written.encode()) == written.encode()


def test_the_last_plane_is_reached() -> None:
    assert joined_surrogates(b"&#xDBFF;&#xDFFF;&#55296;&#56320;").decode() == "\U0010ffff\U00010000"


# A file that is gzip


def test_a_gzip_file_is_opened() -> None:
    assert ungzipped(gzip.compress(b"<rss/>" * 50_000), 1_000_000) == b"<rss/>" * 50_000


def test_what_is_no_gzip_file_stays_as_it_is() -> None:
    assert ungzipped(b"<rss/>", 10) == b"<rss/>"


def test_all_members_of_a_gzip_file_are_read_and_what_follows_is_not() -> None:
    assert ungzipped(gzip.compress(b"<rss>") + gzip.compress(b"</rss>") + b"\0" * 100, 1_000) == b"<rss></rss>"


@pytest.mark.parametrize("length", [2, 9, 60, 200, -5])
def test_of_a_gzip_file_cut_short_the_beginning_is_kept(length: int) -> None:
    whole = "".join(f"<item>{number}</item>" for number in range(1_000)).encode()
    assert whole.startswith(ungzipped(gzip.compress(whole)[:length], 1_000_000))
    assert ungzipped(gzip.compress(whole)[:-9], 1_000_000) == whole


def test_of_a_damaged_gzip_file_the_beginning_is_kept() -> None:
    whole = random.Random(1).randbytes(200_000)
    packed = bytearray(gzip.compress(whole))
    packed[150_000:150_100] = b"\0" * 100
    found = ungzipped(bytes(packed), 1_000_000)
    assert len(found) > 100_000
    assert found[:100_000] == whole[:100_000]


@pytest.mark.parametrize("limit", [1, 1_000, 100_000])
def test_a_gzip_bomb_is_opened_up_to_the_limit(limit: int) -> None:
    assert ungzipped(gzip.compress(b"\0" * 5_000_000), limit) == b"\0" * limit


def test_many_empty_members_are_not_all_opened() -> None:
    assert ungzipped(gzip.compress(b"") * 100_000, 1_000_000) == b""


# What it may cost


@pytest.mark.parametrize(
    ("piece", "label"),
    [
        (b"\xff", ""),
        (b"\x81", "windows-1252"),
        (b"\x81\xff", "gb18030"),
        (b"\xd2", "windows-1253"),
        (b"\xc3\xa9\xff", ""),
        (b"\xe9 ", ""),
        (b"<meta charset ", ""),
        (b"<?xml encoding ", ""),
        (b"\x1b$B\xff", "iso-2022-jp"),
        (b"\x83\x41 ", ""),
    ],
)
def test_broken_bytes_cost_no_more_than_they_are_many(piece: bytes, label: str) -> None:
    assert_linear(lambda body: to_utf8(body, f"text/xml; charset={label}"), [piece])


def test_surrogates_and_gzip_files_cost_no_more_than_they_are_long() -> None:
    pieces = [b"&#", b"&#xD83D;", b"&#55357;", b"&amp;#", b"&amp;#xD83D;&", b"&#xD83D;&#xDE00;"]
    assert_linear(joined_surrogates, pieces)
    assert_linear(lambda body: ungzipped(body, 10 << 20), [gzip.compress(b""), gzip.compress(b"a")], before=b"")


def test_a_document_of_nothing_but_broken_pairs_is_cut_off() -> None:
    assert len(read(b"<\0?\0" + b"\x00\xd8" * 1_000_000)) < 2 * encodings.MAX_BROKEN


def test_python_remembers_no_label_of_a_stranger() -> None:
    import encodings as codecs_package

    to_utf8(b"<rss/>", "text/xml; charset=x-nobody-knows-this")
    assert not [name for name in codecs_package._cache if "nobody" in name]
