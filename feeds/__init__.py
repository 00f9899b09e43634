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

`embedded` stands in for servers, `brokers` asks the one that there is; `models` holds the
tables, `conf` the settings, `outcomes` how an import can end.
"""
