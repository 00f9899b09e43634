"""Import RSS, Atom and JSON feeds into Django models, each feed by one worker at a time.

The path of a feed, from top to bottom:

    tasks        the actors: import_feed, import_due_feeds, prune_entries
    locking      one at a time: a memcached lock around any Dramatiq actor
    importer     Importer: load, admit, fetch, parse, plan, store
    scheduling   when may what be fetched: claims, one request at a time to a host, slow servers
    fetching     a feed's URL to what its server says
    parsing      the bytes of a document to what it says
    planning     what that means: which entry is which, what is new, when to look again. Pure
    storage      the plan into the database, in one transaction, fenced by the feed's revision
    history      what each import did, the last fifty of a feed

Beside it stand `admin`, `status` (the page, /metrics, doctor) and `management` (the commands) for
people; `models` with the tables, `databases` with the rules for them, `conf`, the settings, and
`outcomes`, how an import can end; `embedded` instead of servers, `brokers` to ask the broker's;
and `testing` for the tests of other projects.
"""
