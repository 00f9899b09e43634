"""How polite and how careful the importer is, shown by running it: `manage.py feedscore`.

server      an HTTP server on a loopback port that says exactly what it is told, and remembers who asked
publisher   one feed on it, and a judge who finds fault with how it is asked
scenery     a database in memory, a clock, dice and a log of its own for the time that it takes
stage       the importer over a database that is thrown away, under a clock that jumps from check to check
caching, courtesy, safety   the rules, each with its source and a trial on the stage
probe       the other way round: what a server on the Internet does
"""
