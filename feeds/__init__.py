"""Import RSS, Atom and JSON feeds into Django models, each feed by one worker at a time.

The way of a feed through the rooms, in the order of the data:

    command, admin, tick
      -> tasks        actors; options and one call each
      -> middleware   takes the lock around the actor -> locks -> caches; fitness says whether it would hold
      -> importer     the score: load, fetch, parse, plan, apply
      -> hosts        one request at a time to one host, and lanes: a few places for slow servers; pacing decides
      -> fetcher      conditional GET over transport's guarded sockets, to the addresses that addresses allows
      -> bulk         large documents one after the other: a bound on memory
      -> sandbox      the parser, in a process that can be killed where it may take long
      -> parser       the document as values; splitter, jsonfeed and sanitizer help
      -> identity     which entry is which, and under which row
      -> discovery    the feed that an HTML page names, where somebody gave us the page
      -> planner      what is new, what changed; schedule says when to look again and why, moves whether the URL changes
      -> storage      one transaction, fenced by the feed's revision: columns -> models

And beside it: polling sends what is due, retention removes what is old, feedscore proves how we fetch.

`documents` holds the values that pass between rooms, `exceptions` what is raised.
"""
