"""What Debian's chromium makes of HTML that was written to harm, once it is cleaned: nothing.

    python -m tests.rigs.browser [--only TEXT] [--every 1]

Cleans the payloads of tests/data/payloads, each in several places, as HTML, as plain text and as a title. Puts the
results into pages as an application would, and again as what the browser writes of them. Prints the values with which
a script ran, something was asked of a host that they may not reach, or an element or URL was found that none may have,
and fails if there was any. The same payloads as they come must do all of that, or the browser sees nothing. Nothing
here reaches the network: every request is answered or refused by this program.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from html import escape
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, Route, sync_playwright

from feeds.parsing.html.frames import HOSTS
from feeds.parsing.html.plain_text import text_as_html, text_of_html
from feeds.parsing.sanitizer import clean_html

PAYLOADS = Path(__file__).parents[1] / "data" / "payloads"
SITE = "https://rig.example/"
SCRIPT = "top.hit(1)"
EACH_PAGE, CONTROLS = 60, 20  # values; payloads that are tried as they come
PATIENCE = 120_000  # milliseconds
SETTLED = 300  # milliseconds in which whatever was going to run has run

WRAPPERS = (
    *("{}", "<p>{}</p>", "<p title='{}", "<b><i>{}", "<table>{}", "<table><tr><td>{}</table>", "<ul><li>{}"),
    *("<svg>{}", "<svg><style>{}", "<svg><foreignObject>{}", "<math>{}", "<math><mtext>{}", "<math><mi><svg>{}"),
    *("<noscript>{}</noscript>", "<template>{}", "<select>{}", "<form>{}", "<a href='x'>{}</a>", "<!-- {} -->{}"),
    *("<style>{}</style>", "<iframe>{}</iframe>", "<title>{}</title>", "<textarea>{}", "<object>{}", "<pre>{}"),
)
URLS = (
    *('<a href="{}">x</a>', "<a href={}>x</a>", '<img src="{}">', '<img data-src="{}">', '<video src="{}"></video>'),
    *('<video poster="{}"></video>', '<audio src="{}"></audio>', '<source src="{}">', '<track src="{}">'),
    *('<iframe src="{}"></iframe>', '<iframe data-src="{}">', '<object data="{}"></object>', '<embed src="{}">'),
    *('<form action="{}"><input type=submit></form>', '<math href="{}">x</math>', '<q cite="{}">x</q>'),
    *('<svg><a xlink:href="{}"><text>x</text></a></svg>', '<link rel=stylesheet href="{}">', '<base href="{}">'),
)
FRAMES = (
    '<iframe src="{}"></iframe>',
    "<p><iframe src='{}' title=x>y</iframe>",
    '<iframe data-src="{}" src=x></iframe>',
)
SETS = ('<img srcset="{}">', '<picture><source srcset="{}"><img src=x></picture>', '<img data-srcset="{}" src=x>')
# What the sanitizer's elements never are, looked for in the page that the browser made.
FORBIDDEN = """() => {
  const found = [];
  for (const holder of document.querySelectorAll('.value')) for (const element of holder.querySelectorAll('*')) {
    const name = element.localName;
    if (/^(script|style|link|meta|base|object|embed|applet|form|input|button|svg|template|frame|textarea)$/.test(name))
      found.push([holder.id, name]);
    for (const {name: key, value} of element.attributes) {
      const url = ['href', 'src', 'poster'].includes(key) || key.endsWith(':href');
      if (/^on|^style$|^srcdoc$|^form|^xlink|^id$|^name$/.test(key)) found.push([holder.id, key]);
      const picture = name == 'img' && /^data:image.(png|gif|jpeg|webp|avif);/.test(value);
      if (url && !picture && !/^(https?:|mailto:)/.test(value))
        found.push([holder.id, key + '=' + value]);
    }
    if (name == 'iframe' && !element.hasAttribute('sandbox')) found.push([holder.id, 'no sandbox']);
  }
  return found;
}"""


def payloads() -> Iterator[str]:
    """Yield every payload in every place where it might work."""
    files = {"scripts": WRAPPERS, "mutations": WRAPPERS, "urls": URLS, "frames": FRAMES, "srcset": SETS}
    for name, wrappers in files.items():
        lines = (PAYLOADS / f"{name}.txt").read_text().splitlines()
        for wrapper, line in product(wrappers, (line for line in lines if line and not line.startswith("#"))):
            yield wrapper.replace("{}", line.replace("HIT", SCRIPT))


def cleaned(payload: str) -> Iterator[str]:
    yield clean_html(payload, f"{SITE}base/", f"{SITE}page").text
    yield clean_html(payload + "<wbr>" * 300, f"{SITE}base/").text  # large enough to be written anew
    yield text_as_html(payload).text
    yield escape(text_of_html(payload).text)


def page_of(values: list[str]) -> str:
    """Return a page that has each value in it, puts it there once more by a script, and once more as it was written."""
    there = "".join(f'<div class=value id="{number}">{value}</div>' for number, value in enumerate(values))
    again = json.dumps(values).replace("<", "\\u003c")
    return f"""<!doctype html><meta charset=utf-8><title>rig</title>
      <script>hits = 0; hit = () => hits++; alert = confirm = prompt = hit;</script>{there}
      <script>for (const value of {again}) {{
        const holder = document.createElement('div');
        holder.className = 'value'; holder.id = document.querySelectorAll('.value').length % {len(values)};
        document.body.append(holder);
        holder.innerHTML = value; holder.innerHTML = holder.innerHTML;
        const parsed = new DOMParser().parseFromString(holder.innerHTML, 'text/html');
        holder.append(...document.importNode(parsed.body, true).childNodes);
      }}</script>"""


class Watch:
    """One page after the other in a browser: what ran, what was asked for, what was found."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def faults(self, values: list[str]) -> list[str]:
        """Return what a page with these values did that it must not."""
        page = self._browser.new_page()
        page.set_default_timeout(PATIENCE)
        asked: list[str] = []
        page.route("**/*", lambda route, request: self._answer(route, request, values, asked))
        page.on("dialog", lambda dialog: (asked.append(f"dialog {dialog.message}"), dialog.dismiss()))
        try:
            page.goto(SITE, wait_until="domcontentloaded")
            page.wait_for_timeout(SETTLED)
            return [
                *self._ran(page),
                *asked,
                *(f"{what} in {values[int(where)]!r}" for where, what in self._found(page)),
            ]
        finally:
            page.close()

    def _ran(self, page: Page) -> list[str]:
        if page.url != SITE:
            return [f"the page went to {page.url}"]
        return ["a script ran"] if page.evaluate("typeof hits == 'undefined' ? 1 : hits") else []

    def _found(self, page: Page) -> list[list[str]]:
        return page.evaluate(FORBIDDEN) if page.url == SITE else []

    def _answer(self, route: Route, request: Request, values: list[str], asked: list[str]) -> None:
        if request.url == SITE:
            route.fulfill(body=page_of(values), content_type="text/html")
            return
        url = urlsplit(request.url)
        is_player = request.resource_type == "document" and url.scheme == "https" and url.netloc in HOSTS
        if not is_player and (url.hostname == "foreign.example" or request.resource_type not in ("image", "media")):
            asked.append(f"{request.resource_type} {request.url}")
        route.abort()


def culprits(watch: Watch, values: list[str]) -> Iterator[str]:
    """Yield the values of a page that do something, with what they do."""
    if not (faults := watch.faults(values)):
        return
    if len(values) == 1:
        yield f"{values[0]!r}: {'; '.join(sorted(set(faults)))}"
        return
    middle = len(values) // 2
    yield from culprits(watch, values[:middle])
    yield from culprits(watch, values[middle:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="payloads that have this text in them")
    parser.add_argument("--every", type=int, default=1, help="try one of so many")
    options = parser.parse_args()
    written = [payload for payload in payloads() if options.only in payload][:: options.every]
    values = list(dict.fromkeys(value for payload in written for value in cleaned(payload) if value))
    arguments = [f"--{name}" for name in ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run")]
    arguments += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as play:
        watch = Watch(play.chromium.launch(executable_path=shutil.which("chromium"), args=arguments))
        controls = written[:: max(len(written) // CONTROLS, 1)]
        harmful = sum(bool(watch.faults([payload])) for payload in controls)
        found = [
            fault
            for start in range(0, len(values), EACH_PAGE)
            for fault in culprits(watch, values[start : start + EACH_PAGE])
        ]
    print("\n".join(found))
    print(f"{len(written):,} payloads, {len(values):,} cleaned values; {len(found)} of these do harm.")
    print(f"Of {len(controls)} payloads that were not cleaned {harmful} do.")
    sys.exit(bool(found) or not harmful)


if __name__ == "__main__":
    main()
