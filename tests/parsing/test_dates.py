"""Dates as RFCs ask for them, as programs print them, and as people type them."""

from datetime import UTC, datetime

import pytest

from feeds.parsing.dates import parse_date, parse_duration


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Sat, 07 Sep 2002 00:00:01 GMT", "2002-09-07T00:00:01"),  # the example of RSS 2.0
        ("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T15:55:06"),  # RFC 5322 A.1.1
        ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T15:55:06"),  # RFC 5322 A.6.3
        ("21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06"),  # RFC 5322 A.6.2
        ("21 Nov 97 09:55 EST", "1997-11-21T14:55:00"),  # RFC 822 §5: seconds may be missing
        ("Thu, 1 Jan 104 10:00:00 GMT", "2004-01-01T10:00:00"),  # RFC 5322 §4.3: three digits count from 1900
        ("Mon, 10 Jun 2024 10:00:00 K", "2024-06-10T10:00:00"),  # RFC 5322 §4.3: military letters say nothing
        ("Sat, 24 May 2024 22:05:03 -0000", "2024-05-24T22:05:03"),  # a wrong weekday says nothing
        ("Thu May 23 22:05:03 2024", "2024-05-23T22:05:03"),  # asctime, RFC 9110 §5.6.7
        ("Thursday, 23-May-24 22:05:03 GMT", "2024-05-23T22:05:03"),  # RFC 850, RFC 9110 §5.6.7
        ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50"),  # RFC 3339 §5.8
        ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57"),  # RFC 3339 §5.8
        ("1990-12-31T23:59:60Z", "1990-12-31T23:59:59"),  # RFC 3339 §5.8: a leap second
        ("1997-07-16T19:20+01:00", "1997-07-16T18:20:00"),  # W3C NOTE-datetime
        ("1997-07-16", "1997-07-16T00:00:00"),  # W3C NOTE-datetime
        ("2002-09-24-06:00", "2002-09-24T06:00:00"),  # xs:date with a zone, XML Schema 2 §3.2.9
        ("20260102T030405Z", "2026-01-02T03:04:05"),  # ISO 8601, basic format
        ("20260102T0304+0100", "2026-01-02T02:04:00"),
        ("20260102T030405.678-05", "2026-01-02T08:04:05"),
        ("20260102", "2026-01-02T00:00:00"),
        ("2024-05-24T24:00:00Z", "2024-05-25T00:00:00"),  # ISO 8601:2004 §4.2.3
    ],
)
def test_a_date_of_a_standard_is_read(text: str, moment: str) -> None:
    assert parse_date(text) == utc(moment).replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Mon, 04 Mar 2024 07:30:00 PM", "2024-03-04T19:30:00"),
        ("3 Mar 2023 12:30 AM", "2023-03-03T00:30:00"),
        ("3 Mar 2023 12:30 PM", "2023-03-03T12:30:00"),
        ("March 3, 2023 at 1:05 p.m. EST", "2023-03-03T18:05:00"),
        ("2023-03-03 11:59:59pm", "2023-03-03T23:59:59"),
        ("Fri 3rd Mar 2023 9 am", "2023-03-03T09:00:00"),
        ("2023-03-03 7:15\N{NARROW NO-BREAK SPACE}PM", "2023-03-03T19:15:00"),  # as newer browsers print it
        ("3/4/2023 7:15:00 PM", "2023-03-04T19:15:00"),  # with AM and PM the month comes first
        ("24/5/2024 8:18 pm", "2024-05-24T20:18:00"),  # unless there is no such month
        ("5/24/24 8:18 PM", "2024-05-24T20:18:00"),
        ("3 Mar 2023 19:15 PM", "2023-03-03T19:15:00"),
    ],
)
def test_twelve_hours_are_told_apart_by_am_and_pm(text: str, moment: str) -> None:
    assert parse_date(text) == utc(moment)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024/5/7", "2024-05-07T00:00:00"),
        ("2024/05/07 22:05:03", "2024-05-07T22:05:03"),
        ("Fri, 2006/09/15 08:19:53 EDT", "2006-09-15T12:19:53"),  # Perforce
        ("2003-012-31T10:14:55+00:00", "2003-12-31T10:14:55"),  # seen at Google
        ("Tue May 07 22:05:03 CEST 2024", "2024-05-07T20:05:03"),  # Java, date(1)
        ("Wed Aug 27 13:08:45 +0000 2008", "2008-08-27T13:08:45"),  # Ruby
        ("Tue May 07 2024 22:05:03 GMT+0300 (Eastern European Summer Time)", "2024-05-07T19:05:03"),  # JavaScript
        ("2009-11-10 23:00:00 +0000 UTC", "2009-11-10T23:00:00"),  # Go
        ("24/12/2023 20:15", "2023-12-24T20:15:00"),
        ("12/24/2023", "2023-12-24T00:00:00"),
        ("24.12.2023 20:15", "2023-12-24T20:15:00"),
        ("24-12-2023 20:15", "2023-12-24T20:15:00"),
        ("202312242015", "2023-12-24T20:15:00"),
        ("2023-Dec-24 20:15", "2023-12-24T20:15:00"),
        ("2023 December 24", "2023-12-24T00:00:00"),
        ("Sun, 24 Dec 2023 20.15.03 GMT", "2023-12-24T20:15:03"),
        ("24.12.2023 20h15", "2023-12-24T20:15:00"),
        ("2006-01-17T12:35:9+01:00", "2006-01-17T11:35:09"),  # in the tests of rometools/rome
        ("2006-03-03T12:00:005Z", "2006-03-03T12:00:05"),  # in those of Raptor
        ("20-04-10T05:00:00+00:00", "2020-04-10T05:00:00"),  # miniflux/v2 #601
        ("Mon, May 25 2020 04:45:26 +0000", "2020-05-25T04:45:26"),  # NetNewsWire #2109
        ("1704103445", "2024-01-01T10:04:05"),  # Unix time
        ("1704103445000", "2024-01-01T10:04:05"),  # milliseconds
        ("Fri, 05/24/2024 - 10:00", "2024-05-24T10:00:00"),  # Drupal
        ("Fri, 24/05/2024 - 10:00", "2024-05-24T10:00:00"),
        ("2024-05-24T10:00:00+02:00[Europe/Berlin]", "2024-05-24T08:00:00"),  # Java's ZonedDateTime
        ("2024-05-24T10:00Z[UTC]", "2024-05-24T10:00:00"),
        ("\u200e24 May 2024 10:00", "2024-05-24T10:00:00"),  # Windows
    ],
)
def test_what_programs_print_is_read(text: str, moment: str) -> None:
    assert parse_date(text) == utc(moment)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7 May 2024 10:00 +02", "2024-05-07T08:00:00"),
        ("2024-05-07T10:00:00+02", "2024-05-07T08:00:00"),
        ("2024-05-07T10:00:00 -3", "2024-05-07T13:00:00"),
        ("7 May 2024 10:00 +200", "2024-05-07T08:00:00"),
        ("7 May 2024 10:00 -040", "2024-05-07T14:00:00"),  # its last digit is missing
        ("7 May 2024 10:00 GMT+2", "2024-05-07T08:00:00"),
        ("7 May 2024 10:00 UTC-03:30", "2024-05-07T13:30:00"),
        ("2024-05-07T10:00 PDT", "2024-05-07T17:00:00"),
        ("7 May 2024 10:00 AEST", "2024-05-07T00:00:00"),
        ("7 May 2024 10:00 IST", "2024-05-07T04:30:00"),
        ("7 May 2024 10:00 NST", "2024-05-07T13:30:00"),
        ("7 May 2024 10:00 Etc/GMT", "2024-05-07T10:00:00"),
        ("7 May 2024 10:00 Europe/Berlin", "2024-05-07T08:00:00"),
        ("7 Dec 2024 10:00 America/New_York", "2024-12-07T15:00:00"),
        ("7 May 2024 10:00 Atlantis/Capital", "2024-05-07T10:00:00"),
        ("7 May 2024 10:00 /etc/passwd", "2024-05-07T10:00:00"),
        ("May 7, 2024, 10:00 a.m. ET", "2024-05-07T14:00:00"),  # summer
        ("Dec 7, 2024, 10:00 a.m. PT", "2024-12-07T18:00:00"),
        ("2024-05-07T10:00:00+02:00Z", "2024-05-07T08:00:00"),
        ("2024-05-07T10:00:00\N{MINUS SIGN}04:00", "2024-05-07T14:00:00"),
        ("7 May 2024 10:00 XYZ", "2024-05-07T10:00:00"),
        ("7 May 2024 10:00:00 (CEST)", "2024-05-07T08:00:00"),  # in brackets, where nothing else says it
        ("7 May 2024 10:00 PM (EST)", "2024-05-08T03:00:00"),
        ("2024-05-07T10:00:00[Europe/Berlin]", "2024-05-07T08:00:00"),  # RFC 9557
        ("7 May 2024 10:00:00 +0200 (America/New_York)", "2024-05-07T08:00:00"),  # the number counts
        ("7 May 2024 10:00:00 (local time)", "2024-05-07T10:00:00"),
    ],
)
def test_a_zone_is_a_number_or_a_name_and_an_unknown_one_is_utc(text: str, moment: str) -> None:
    assert parse_date(text) == utc(moment)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Dienstag, 7. Mai 2024, 10:00 MESZ", "2024-05-07T08:00:00"),
        ("dom, 02 ott 2022 18:55:00 GMT", "2022-10-02T18:55:00"),  # witochandra/webfeed #66
        ("24 października 2024", "2024-10-24T00:00:00"),
        ("Sal, 12 Kas 2024 09:00 +0300", "2024-11-12T06:00:00"),
        ("3 Ağustos 2024", "2024-08-03T00:00:00"),
        ("24 жовтня 2024", "2024-10-24T00:00:00"),
        ("24 липня 2024", "2024-07-24T00:00:00"),
        ("5 iulie 2024", "2024-07-05T00:00:00"),
        ("7 août 2024", "2024-08-07T00:00:00"),
        ("7 juin 2024", "2024-06-07T00:00:00"),
        ("7 juil. 2024", "2024-07-07T00:00:00"),
        ("martes, 7 de enero de 2020", "2020-01-07T00:00:00"),
        ("7 dic 2024", "2024-12-07T00:00:00"),
        ("7 мая 2024 10:00 +0300", "2024-05-07T07:00:00"),
        ("Κυρ, 11 Ιούλ 2004 12:00:00 EST", "2004-07-11T17:00:00"),
        ("2004-05-25 오후 11:23:17", "2004-05-25T14:23:17"),
        ("2004년 05월 28일  01:31:15", "2004-05-27T16:31:15"),
        ("2024年5月7日 下午8:18", "2024-05-07T20:18:00"),
        ("2024年05月07日 20时18分", "2024-05-07T20:18:00"),
        ("2024年5月7日(火) 20時18分30秒", "2024-05-07T20:18:30"),
        ("2024년 5월 7일 20시 18분", "2024-05-07T11:18:00"),
        ("le 7 mai 2024 à 20h18", "2024-05-07T20:18:00"),
        ("7 de maio de 2024 às 20:18", "2024-05-07T20:18:00"),
        ("7 ottobre 2024 alle 20:18", "2024-10-07T20:18:00"),
        ("Tuesday 7th of May 2024", "2024-05-07T00:00:00"),
        ("2024. május 24. 10:00", "2024-05-24T10:00:00"),
        ("Pá, 24 kvě 2024 12:00:00 +0200", "2024-05-24T10:00:00"),
        ("neděle 7. července 2024", "2024-07-07T00:00:00"),
        ("7. června 2024", "2024-06-07T00:00:00"),
        ("7. červen 2024", "2024-06-07T00:00:00"),
        ("7. červenec 2024", "2024-07-07T00:00:00"),
        ("7 септември 2024", "2024-09-07T00:00:00"),  # Bulgarian
        ("7. srpna 2024", "2024-08-07T00:00:00"),
        ("7 srpnja 2024", "2024-07-07T00:00:00"),  # Croatian
        ("7 lipnja 2024", "2024-06-07T00:00:00"),
        ("7 lipca 2024", "2024-07-07T00:00:00"),  # Polish
        ("24. marraskuuta 2024", "2024-11-24T00:00:00"),
        ("יום שישי, 24 במאי 2024 10:00", "2024-05-24T10:00:00"),
        ("24 יולי 2024", "2024-07-24T00:00:00"),
        ("الجمعة، 24 مايو 2024 12:00", "2024-05-24T12:00:00"),
        ("٢٤ أغسطس ٢٠٢٤", "2024-08-24T00:00:00"),
        ("24 أيلول 2024", "2024-09-24T00:00:00"),
        ("Thứ Sáu, ngày 24 tháng 5 năm 2024", "2024-05-24T00:00:00"),
        ("24 Tháng 10, 2024", "2024-10-24T00:00:00"),
        ("Thứ Sáu, 24/05/2024 10:00", "2024-05-24T10:00:00"),
    ],
)
def test_months_are_known_in_some_languages(text: str, moment: str) -> None:
    assert parse_date(text) == utc(moment)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2024", "2024-05", "May 2024", "7 May", "7 May 10:00", "May 7", "10:00 PM", "Tue", "--05-07", "---07"],
)
def test_what_lacks_its_day_month_or_year_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Thu, 30 Feb 2023 10:00:00 GMT",
        "2023-02-29",
        "2024-13-01",
        "31 Jun 2024",
        "0000-00-00T00:00:00Z",
        "2024-05-07T25:00:00Z",
        "2024-05-07T10:61:00Z",
        "2024-05-07T10:00:61Z",
        "7 Foo 2024",
        "3/4/2024",  # of two readings none is taken
        "24.05.23",  # the year may come first
        "7 srp 2024",  # July in Croatian, August in Czech
        "7 čer 2024",  # June or July
        "2024-05-07T10:00:00+02:00Textra",
        "9999-12-31T23:59:59-99:99",
        "22013",
        "9" * 400,
    ],
)
def test_days_and_times_that_do_not_exist_are_no_dates(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 01 Jan 0001 00:00:00 +0000",
        "Mon, 30 Nov -0001 00:00:00 +0000",
        "0001-01-01T00:00:00.0000000",
        "1899-12-30T00:00:00Z",
        "31 Dec 1969 23:59:59 GMT",
        "2999-01-01",
        "9999-12-31T23:59:59Z",
        "99999999999999",
    ],
)
def test_years_before_1970_and_after_next_year_are_no_dates(text: str) -> None:
    assert parse_date(text) is None


def test_next_year_is_still_a_date() -> None:
    year = datetime.now(UTC).year
    assert parse_date(f"{year + 1}-12-31") == datetime(year + 1, 12, 31, tzinfo=UTC)
    assert parse_date(f"{year + 2}-01-02") is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("1:02:03", 3723), ("62:03", 3723), ("3723", 3723), ("3723.9", 3723), ("0", None), ("", None), ("x", None)),
        *(("PT1H2M3S", 3723), ("PT62M3.5S", 3723), ("1h 2m", 3720), ("1 hr, 2 min", 3720), ("62 mins", 3720)),
        *(("PT", None), ("P1D", None), ("2 weeks", None)),
    ],
)
def test_a_duration_is_a_number_of_seconds_or_has_colons_or_units(text: str, seconds: int | None) -> None:
    assert parse_duration(text) == seconds
