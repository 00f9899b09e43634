"""The queues of the actors, and what comes before what in them."""

from pathlib import Path

from feeds import tasks
from tests.rigs.foreign_project import ForeignProject

# What a host's own actors are like: a queue and a priority that nobody has chosen.
HOST = {"shop/tasks.py": "import dramatiq\n@dramatiq.actor\ndef mail(): print('mailed')\n"}


def test_by_themselves_the_actors_have_queues_of_their_own_and_stand_behind_others() -> None:
    assert {actor.queue_name for actor in (tasks.import_feed, tasks.import_due_feeds, tasks.prune_entries)} == {"feeds"}
    assert tasks.import_feed.priority > 0
    assert "feeds_scheduled" in tasks.import_feed.broker.get_declared_queues()


def test_a_host_names_the_queue_and_its_own_actors_do_not_wait_for_feeds(tmp_path: Path) -> None:
    settings = "INSTALLED_APPS += ['shop']\nFEEDS_QUEUE = 'news'"
    code = """
import dramatiq
from dramatiq import Worker
from feeds import tasks
from feeds.outcomes import AskedBy
from shop.tasks import mail
broker = dramatiq.get_broker()
for number in range(500):
    tasks.send(f"http://127.0.0.1:9/{number}", asked_by=AskedBy.SCHEDULE)
tasks.send("http://127.0.0.1:9/person")
mail.send()
print({name: queue.qsize() for name, queue in sorted(broker.queues.items()) if queue.qsize()})
worker = Worker(broker, queues={mail.queue_name})
worker.start()
broker.join(mail.queue_name)
worker.stop()
print({name: queue.qsize() for name, queue in sorted(broker.queues.items()) if queue.qsize()})
"""
    output = ForeignProject(tmp_path, settings, HOST).run(code)
    assert output.splitlines()[:3] == [
        "{'default': 1, 'news': 1, 'news_scheduled': 500}",
        "mailed",
        "{'news': 1, 'news_scheduled': 500}",
    ]


def test_workers_that_are_told_the_queue_take_the_scheduled_imports_too(tmp_path: Path) -> None:
    """Replaced is what would become the worker; the rest is the command."""
    settings = "DRAMATIQ_BROKER['BROKER'] = 'dramatiq.brokers.redis.RedisBroker'"
    code = """
import os
os.execvp = lambda program, arguments: print(arguments[arguments.index("--queues") + 1:])
call_command("rundramatiq", queues=["mail", "feeds"])
call_command("rundramatiq", queues=["mail"])
"""
    output = ForeignProject(tmp_path, settings).run(code)
    assert "['mail', 'feeds', 'feeds_scheduled']\n" in output
    assert "['mail']\n" in output
