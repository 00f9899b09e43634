"""What `manage.py check` says of a host project that is not as ours."""

from pathlib import Path

from tests.rigs.foreign_project import ForeignProject

IMPORTS_FEEDS = {
    "shop/urls.py": "from shop.views import page\nurlpatterns = []\n",
    "shop/views.py": "from feeds.tasks import import_feed\npage = import_feed\n",
}
NO_LOCK = """
DRAMATIQ_BROKER["MIDDLEWARE"].remove("feeds.locking.LockMiddleware")
INSTALLED_APPS += ["shop"]
"""


def test_a_missing_middleware_is_named_whatever_imports_the_actors_first(tmp_path: Path) -> None:
    project = ForeignProject(tmp_path, NO_LOCK, IMPORTS_FEEDS)
    assert "(feeds.E012) feeds.locking.LockMiddleware is missing from MIDDLEWARE" in project.manage("check", status=1)
    project.write("host_settings.py", (tmp_path / "host_settings.py").read_text() + "ROOT_URLCONF = 'shop.urls'\n")
    output = project.manage("check", status=1)
    assert "feeds.locking.LockMiddleware is missing from MIDDLEWARE of DRAMATIQ_BROKER" in output
    assert "ValueError" not in output


def test_in_a_hosts_tests_a_queue_and_locks_in_memory_are_fine(tmp_path: Path) -> None:
    settings = 'CACHES["locks"] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}\nFEEDS_CONTACT_URL = "x"'
    project = ForeignProject(tmp_path, settings)
    code = """
from feeds.status.health import readiness
call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
print(readiness())
"""
    assert "False" not in project.run(code)


def test_the_order_of_the_apps_is_warned_of_where_it_costs_a_command(tmp_path: Path) -> None:
    project = ForeignProject(tmp_path, 'INSTALLED_APPS.append(INSTALLED_APPS.pop(INSTALLED_APPS.index("feeds")))')
    assert "(feeds.W013) `rundramatiq` is not that of feeds" in project.manage("check")


def test_a_queue_that_there_cannot_be_is_named_by_its_setting(tmp_path: Path) -> None:
    output = ForeignProject(tmp_path, 'FEEDS_QUEUE = "low priority"').manage("check", status=1)
    assert "(feeds.E001) FEEDS_QUEUE must be a name of letters" in output
    assert "Traceback" not in output


def test_mysql_is_refused_with_a_sentence(tmp_path: Path) -> None:
    vendor = """
from django.db.backends.sqlite3 import base
class DatabaseWrapper(base.DatabaseWrapper):
    vendor = "mysql"
"""
    project = ForeignProject(tmp_path, "DATABASES['default']['ENGINE'] = 'mysql_like'", {"mysql_like/base.py": vendor})
    output = project.manage("migrate", status=1)
    assert "(feeds.E015) the database 'default' is mysql, and feeds runs on PostgreSQL and SQLite only" in output


def test_actors_that_no_worker_loads_are_named(tmp_path: Path) -> None:
    files = {
        "shop/views.py": "import shop.jobs\n",
        "shop/urls.py": "import shop.views\nurlpatterns = []\n",
        "shop/jobs.py": "import dramatiq\n@dramatiq.actor\ndef clean(): ...\n",
        "shop/mail.py": "import dramatiq\n@dramatiq.actor\ndef mail(): ...\n",
        "shop/tasks.py": "from shop.mail import mail\n",
    }
    project = ForeignProject(tmp_path, "ROOT_URLCONF = 'shop.urls'\nINSTALLED_APPS += ['shop']", files)
    output = project.run("import shop.views\ncall_command('check')")
    assert "workers do not load shop.jobs, so they would drop the messages of clean" in output
    assert output.count("workers do not load") == 1


def test_workers_load_our_actors_whatever_a_host_calls_the_modules_of_its_own(tmp_path: Path) -> None:
    project = ForeignProject(tmp_path, "DRAMATIQ_AUTODISCOVER_MODULES = ['actors']")
    code = """
from feeds.management.workers import loaded_by_workers
print(loaded_by_workers())
call_command("check", fail_level="ERROR")
"""
    assert "'feeds.tasks'" in project.run(code)


def test_a_module_of_tasks_that_cannot_be_imported_is_warned_of_where_actors_are_in_doubt(tmp_path: Path) -> None:
    jobs = "import dramatiq\n@dramatiq.actor\ndef clean(): ...\n"
    files = {"shop/tasks.py": "import no_such_module\n", "shop/models.py": jobs}
    output = ForeignProject(tmp_path, "INSTALLED_APPS += ['shop']", files).manage("check")
    assert "(feeds.W012) workers cannot load their modules: ModuleNotFoundError: No module named 'no_such" in output


def test_where_no_actor_is_in_doubt_a_hosts_modules_of_tasks_are_not_loaded(tmp_path: Path) -> None:
    files = {"shop/tasks.py": "raise SystemExit('loaded')\n"}
    assert "loaded" not in ForeignProject(tmp_path, "INSTALLED_APPS += ['shop']", files).manage("check")
