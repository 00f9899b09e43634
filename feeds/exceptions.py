"""Errors that a caller cannot use as a value.

    FeedsError
    ├── InvalidURL           the text is no http(s) URL; trying again cannot help
    ├── ConfigurationError   a setting has a wrong type or range; the operator must act
    ├── OPMLError            the document is no OPML; trying again cannot help
    ├── OpenTransaction      an import was asked for inside of a transaction; the caller must change
    └── SandboxUnavailable   no process for parsing can start (feeds.parsing): the importer fetches again, later

Expected outcomes of fetching and parsing (a 404, a body that is no feed) are values: see `fetching.Failed`. The lock's
own errors stand in `feeds.locking`, which any project can use without the rest.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

TEXT_LENGTH = 200  # characters of an error's text
# Database drivers put these into their errors: the login of a URL, the name of the user.
CREDENTIALS = re.compile(r"""(?<=//)[^/\s@]*@|(?<=\buser )["'][^"']*["']|(?<=\brole )["'][^"']*["']""")


class FeedsError(Exception):
    """Base of all errors of this app."""


class InvalidURL(FeedsError):
    """The text is no absolute http or https URL with a host."""


class ConfigurationError(FeedsError):
    """A setting has a wrong type or range."""


class OpenTransaction(FeedsError, RuntimeError):
    """An import was asked for inside of a transaction. Django raises RuntimeError for that, too."""


class OPMLError(FeedsError):
    """The document is no OPML."""


@contextmanager
def log_unforeseen(logger: logging.Logger, **context: object) -> Iterator[None]:
    """Log an error that was not foreseen with its context, which the record has as fields, too: Sentry shows them."""
    try:
        yield
    except FeedsError:
        raise
    except Exception:
        logger.exception(" ".join(f"{name}=%s" for name in context), *context.values(), extra=context)
        raise


def describe(error: BaseException) -> str:
    """Return the class and the first line of the text of `error`, without credentials."""
    lines = str(error).strip().splitlines()
    text = CREDENTIALS.sub("…", lines[0]) if lines else ""
    return f"{type(error).__name__}: {text[:TEXT_LENGTH]}".removesuffix(": ")
