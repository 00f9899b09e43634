"""Elements and attributes: those that stay, and what HTML says of how they nest."""

TAGS = frozenset(
    """
    a abbr acronym address article aside audio b bdi bdo big blockquote br caption center cite code col colgroup
    data dd del details dfn div dl dt em figcaption figure footer h1 h2 h3 h4 h5 h6 header hgroup hr i img ins
    kbd li main mark nav ol p picture pre q rp rt ruby s samp section small source span strike strong sub
    summary sup table tbody td tfoot th thead time tr track tt u ul var video wbr
    """.split()  # noqa: SIM905
)
ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href", "hreflang"},
    "audio": {"controls", "loop", "preload", "src"},
    "bdo": {"dir"},
    "col": {"span"},
    "colgroup": {"span"},
    "data": {"value"},
    "del": {"datetime"},
    "details": {"open"},
    "iframe": {"allowfullscreen", "height", "src", "width"},
    "img": {"alt", "height", "sizes", "src", "srcset", "width"},
    "ins": {"datetime"},
    "li": {"value"},
    "ol": {"reversed", "start", "type"},
    "source": {"media", "sizes", "src", "srcset", "type"},
    "td": {"colspan", "rowspan"},
    "th": {"abbr", "colspan", "rowspan", "scope"},
    "time": {"datetime"},
    "track": {"kind", "label", "src", "srclang"},
    "video": {"controls", "height", "loop", "poster", "preload", "src", "width"},
}
# MathML Core, and two of MathML 3 that are in use. Nothing that links, acts, or holds HTML.
MATHML = frozenset(
    """
    math annotation menclose merror mfenced mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow
    ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none semantics
    """.split()  # noqa: SIM905
)
MATHML_ATTRIBUTES = frozenset(
    """
    accent accentunder alttext close columnalign columnspan depth dir display displaystyle encoding fence form height
    linethickness lspace mathvariant maxsize minsize movablelimits notation open rowspan rspace scriptlevel separator
    separators stretchy symmetric voffset width
    """.split()  # noqa: SIM905
)
MATHML_TEXTS = ("mi", "mo", "mn", "ms", "mtext", "annotation")  # what may stand in them is text

# Their text is not for people: it goes with them. "title" is one outside of drawings.
WITHOUT_TEXT = frozenset({"script", "style", "template", "title", "annotation-xml"})
VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_CLOSE_P = _HEADINGS | frozenset(
    """
    address article aside blockquote center dd details div dl dt figcaption figure footer header hgroup hr li main nav
    ol p pre section summary table ul
    """.split()  # noqa: SIM905
)
_GROUPS = frozenset({"tbody", "thead", "tfoot"})
_CELLS = frozenset({"td", "th", "caption", "table"})
ROWS = _GROUPS | {"table", "tr", "colgroup"}  # what holds nothing but other parts of a table
TABLE_PARTS = _GROUPS | {"caption", "col", "colgroup", "td", "th", "tr"}
_TABLE = frozenset({"table"})
# Where a line ends.
BLOCKS = _CLOSE_P | TABLE_PARTS | {"br", "form", "option", "fieldset", "legend"}

_PARTS = frozenset({"td", "th", "caption", "colgroup"})
# The element that begins -> those that it ends, if they are not beyond some others (HTML §13.2.6.4).
ENDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    **{name: (frozenset({"p"}), _CELLS) for name in _CLOSE_P},
    **{name: (_HEADINGS | {"p"}, _CELLS) for name in _HEADINGS},
    "li": (frozenset({"li", "p"}), _CELLS | {"ul", "ol"}),
    **{name: (frozenset({"dd", "dt", "p"}), _CELLS | {"dl"}) for name in ("dd", "dt")},
    **{name: (frozenset({"rp", "rt"}), _CELLS | {"ruby"}) for name in ("rp", "rt")},
    "a": (frozenset({"a"}), _CELLS),
    **dict.fromkeys(("td", "th"), (_PARTS, _TABLE)),
    "tr": (_PARTS | {"tr"}, _TABLE),
    **{name: (_PARTS | _GROUPS | {"tr"}, _TABLE) for name in ("tbody", "thead", "tfoot", "caption", "colgroup")},
}


def barriers(name: str) -> frozenset[str]:
    """Return the elements beyond which an end tag ends nothing."""
    if name == "table":
        return frozenset()
    return _TABLE if name in TABLE_PARTS else _CELLS
