"""The cookbook's recipe as a Django site on Dramatiq: feedparser fetches and parses, the ORM stores each entry."""
