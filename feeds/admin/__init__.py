"""The admin: feeds to add, look into, import, pause and resume; hosts to slow down; entries to look at.

Written for a million feeds and many more entries: no list sorts or searches by what has no index unless somebody asks
for it, counts a table that only grows, or costs a query per row. No login of a URL is shown to, or can be guessed by,
people who may not change feeds.
"""

from feeds.admin.entries import EntryAdmin
from feeds.admin.feeds import FeedAdmin
from feeds.admin.hosts import HostAdmin

__all__ = ["EntryAdmin", "FeedAdmin", "HostAdmin"]
