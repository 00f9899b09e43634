"""Plans in, columns out: which fields of a feed and of an entry an import writes, and with what."""
