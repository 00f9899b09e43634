"""The addresses and ports that may be connected to. Pure: nothing here resolves or connects."""


# IP addresses


# fmt: on
