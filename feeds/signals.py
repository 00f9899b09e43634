"""Signals of imports, for a site to react to. Sent after the commit by `send_robust`: no receiver can harm an import.

    @receiver(entries_added)
    def announce(sender, feed_id, entries, **kwargs): ...

    @receiver(feed_failed)
    def complain(sender, report, **kwargs): ...

A receiver runs in the worker's thread, and the feed's lock is held as long: what takes time belongs in an actor of its
own. Should the process die between the commit and the receiver, the signal is lost.
"""

from django.dispatch import Signal

# sender=Entry, feed_id, entries: rows of one feed, the oldest first, at most 500 at a time
entries_added = Signal()
entries_changed = Signal()

# sender=Feed, report: a planning.ImportReport
feed_imported = Signal()  # the import went well, with new entries or without
feed_failed = Signal()  # `report.failure` says why
