"""What HTML that was written to be slow costs, and what it becomes, as it grows.

    python -m tests.rigs.html_growth [--rounds 200]

Grows pieces of markup that parsers have been slow with, all pairs of tags, and random sequences of tags. Prints what
became more than nine times as long as it was, cost more than three times linear, or took more than eight seconds, and
fails if there was any.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product

from feeds.parsing.html.elements import MATHML, TAGS, VOID
from feeds.parsing.html.plain_text import HTML_LIMIT
from feeds.parsing.sanitizer import clean_html

BASE = "https://example.com/"
LONGEST = 8.0  # seconds for the largest value
MOST_GROWTH, MOST_COST = 9, 3
# Each as `piece(number)`, since parsers notice formatting that is written twice.
PIECES = {
    "lists in terms": lambda n: "<dd><li>",
    "terms in lists": lambda n: "<li><dt>",
    "ends of what is not open": lambda n: "<q></x>",
    "formatting in formatting": lambda n: f"</font><b a={n}>",
    "formatting that differs": lambda n: f"</font><b title={n}>",
    "paragraphs in formatting": lambda n: f"<i lang={n}><p>x",
    "tables in tables": lambda n: "<table><tr><td>",
    "text in tables": lambda n: "<table>x<b>y</b>",
    "drawings": lambda n: "<svg><g>",
    "formulas": lambda n: "<math><mi>x",
    "formulas in formulas": lambda n: "<math><mtext><math>",
    "links": lambda n: "<a>x",
    "forms": lambda n: "<form><button>",
    "comments": lambda n: "<!-- ><b>",
    "CDATA": lambda n: "<![CDATA[<b>",
    "references": lambda n: "x &amp; y&",
    "attributes": lambda n: f"<p a{n}=1 title=",
    "open quotes": lambda n: "<a b='>",
    "frames that stay": lambda n: "<iframe src=//youtube.com></iframe>",
    "openers": lambda n: "<",
    "frames": lambda n: "<iframe ",
    "pictures": lambda n: "<img src=a>",
    "scripts": lambda n: "<script><",
    "selections": lambda n: "<select><option>x",
    "plain text": lambda n: "<plaintext><textarea><xmp><title>",
}
OTHERS = ["button", "font", "form", "frameset", "head", "nobr", "option", "select", "svg", "template", "textarea", "x"]
NAMES = [*sorted(TAGS), *sorted(MATHML), *OTHERS]
MARKS = [f"<{name} title={{}}>" for name in NAMES] + [f"</{name}>" for name in NAMES if name not in VOID]


def cost(value: str) -> tuple[float, int]:
    begun = time.thread_time()
    text = clean_html(value, BASE).text
    return time.thread_time() - begun, len(text)


def fault(piece: Callable[[int], str]) -> str:
    """Return what is wrong with a piece as it is repeated, "" if nothing is."""
    value = "".join(map(piece, range(HTML_LIMIT // len(piece(100)))))
    small, large = value[: len(value) // 8], value
    (before, _), (after, length) = min(cost(small), cost(small)), cost(large)
    if length > MOST_GROWTH * len(large):
        return f"{length / len(large):.1f} times as long"
    if after > LONGEST or (after > 0.05 and after > 8 * MOST_COST * before):
        return f"{before:.3f} s, and {after:.3f} s for eight times as much"
    return ""


def cases(rounds: int) -> Iterator[tuple[str, Callable[[int], str]]]:
    yield from PIECES.items()
    for one, other in product(MARKS, repeat=2):
        if random.random() < rounds / 1_000:
            yield one + other, lambda n, pair=one + other: pair.replace("{}", str(n)) + "x"
    for _ in range(rounds):
        some = "".join(random.choices(MARKS, k=random.randint(3, 12)))
        yield some, lambda n, some=some: some.replace("{}", str(n)) + "x"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="random sequences; 1,000 takes all pairs, too")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    tried = faults = 0
    for name, piece in cases(arguments.rounds):
        tried += 1
        if found := fault(piece):
            faults += 1
            print(f"{name}: {found}", flush=True)
    print(f"{tried:,} pieces of HTML, {faults} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
