"""Projects with settings that few have: times without a zone, a transaction around each request, users of their own."""

import json
from typing import Any

import pytest

from tests.rigs.foreign_project import ForeignProject
from tests.rigs.servers.feed_server import FeedServer, Received, answer

pytestmark = pytest.mark.slow

SETTINGS = """
USE_TZ, TIME_ZONE = False, "America/New_York"
DATABASES["default"]["ATOMIC_REQUESTS"] = True
AUTH_USER_MODEL = "people.Person"
INSTALLED_APPS += ["people", "django.contrib.admin", "django.contrib.sessions", "django.contrib.messages"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
ROOT_URLCONF, STATIC_URL, ALLOWED_HOSTS = "urls", "static/", ["*"]
DRAMATIQ_BROKER["BROKER"] = "feeds.embedded.EmbeddedBroker"
FEEDS_KEEP_DAYS, FEEDS_METRICS_TOKEN = 30, "secret"
"""
FILES = {
    "people/models.py": """
        from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
        from django.db import models

        class Person(AbstractBaseUser, PermissionsMixin):
            email = models.EmailField(primary_key=True)
            is_staff = models.BooleanField(default=True)
            is_active = True
            USERNAME_FIELD = "email"
            objects = BaseUserManager()
    """,
    "urls.py": """
        from django.contrib import admin
        from django.http import HttpResponse
        from django.urls import include, path
        from feeds.models import Feed

        def import_here(request):
            return HttpResponse(Feed.objects.import_feed(request.GET["url"]))

        urlpatterns = [path("admin/", admin.site.urls), path("import", import_here), path("", include("feeds.urls"))]
    """,
}
LIFE = """
import io, json
from datetime import datetime, timedelta
from django.core.management import CommandError
from django.test import Client
from django.contrib.admin import site
from django.urls import get_resolver, reverse
from django.utils import timezone
from dramatiq import get_broker
from feeds import tasks
from feeds.models import Entry, Feed, Host, Import
from people.models import Person

call_command("migrate", run_syncdb=True, verbosity=0)
found = {{}}
server = "{0}"

# Imports, as a new feed, an edited entry, a failure and a busy host bring them
feed = Feed.objects.create(url=server + "/feed")
found["due"] = Feed.objects.due(timezone.now()).count()
call_command("import_feeds", "--due", verbosity=0)
feed.refresh_from_db()
found["times"] = [isinstance(feed.checked_at, datetime) and feed.checked_at.tzinfo is None,
                  abs(feed.checked_at - datetime.now()) < timedelta(minutes=5),
                  feed.next_check_at > datetime.now()]
found["published"] = [str(entry.published_at) for entry in feed.entries.order_by("published_at")]
tasks.import_feed.send(feed.url)
get_broker().drain(20)
found["edited"] = [*Entry.objects.filter(changes=1).values_list("title", flat=True)]
for path in ("/missing", "/busy"):
    Feed.objects.import_feed(server + path)
    found[path] = Feed.objects.get(url=server + path).next_check_reason
Host.objects.update(delay=0.01)
Feed.objects.update(next_check_at=timezone.now())
tasks.import_due_feeds()
get_broker().drain(20)
found["claimed"] = Feed.objects.filter(claimed_at__isnull=False).count()
found["imports"] = Import.objects.filter(started_at__gt=datetime.now() - timedelta(minutes=5)).count()
Entry.objects.update(first_seen_at=datetime.now() - timedelta(days=40), sorted_at=datetime.now() - timedelta(days=40))
call_command("prune_entries", verbosity=0)
found["kept"] = Entry.objects.count()
try:
    call_command("doctor", stdout=(doctor := io.StringIO()))
except CommandError:  # there is no worker
    pass
found["doctor"] = doctor.getvalue()
call_command("locks", stdout=io.StringIO(), stderr=io.StringIO())
call_command("probe_feed", server + "/feed", stdout=(probed := io.StringIO()))
found["probed"] = probed.getvalue().splitlines()[-1]

# What people look at
client = Client(headers={{"authorization": "Bearer secret"}})
client.force_login(Person.objects.create(email="ada@example.org", is_superuser=True))
pages = [reverse("admin:feeds_feed_change", args=[feed.pk])]
listed = [model._meta.model_name for model in site._registry if model._meta.app_label == "feeds"]
pages += [reverse(f"admin:feeds_{{name}}_changelist") for name in listed]
pages += [reverse(url.name) for url in get_resolver("feeds.urls").url_patterns if not url.pattern.converters]
pages += [reverse("admin:feeds_feed_add"), "/readyz", "/healthz"]
found["pages"] = {{page: client.get(page).status_code for page in pages}}
action = {{"action": "import_now", "_selected_action": [feed.pk]}}
found["action"] = client.post(reverse("admin:feeds_feed_changelist"), action, follow=True).status_code
get_broker().drain(20)
found["resumed"] = client.post(
    reverse("admin:feeds_feed_changelist"), {{"action": "resume", "_selected_action": [feed.pk]}}
).status_code

# Inside of a transaction
try:
    client.get("/import", {{"url": feed.url}})
except Exception as error:
    found["refused"] = f"{{type(error).__name__}}: {{error}}"
print(json.dumps(found))
"""


def document(title: str) -> bytes:
    items = (
        f"<item><guid>1</guid><title>{title}</title><pubDate>Mon, 02 Nov 2026 01:00:00 GMT</pubDate></item>"
        "<item><guid>2</guid><title>Two</title><pubDate>Tue, 03 Nov 2026 12:00:00 +0100</pubDate></item>"
    )
    return f'<rss version="2.0"><channel><title>t</title>{items}</channel></rss>'.encode()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    def edited(request: Received) -> bytes:
        first = sum(each.target == "/feed" for each in server.received) == 1
        return answer(body=document("One" if first else "One, edited"))

    with FeedServer() as server:
        server.routes = {"/feed": edited, "/busy": answer(503, retry_after="7200")}
        project = ForeignProject(tmp_path_factory.mktemp("few"), SETTINGS, FILES)
        printed = project.run(LIFE.format(server.url("")))
    return json.loads(next(line for line in printed.splitlines() if line.startswith("{")))


def test_without_time_zones_feeds_are_imported_and_polled(found: Any) -> None:
    assert (found["due"], found["times"]) == (1, [True, True, True])
    assert found["edited"] == ["One, edited"]
    assert found["claimed"] == 0
    assert found["imports"] > 3
    assert "404" in found["/missing"] or "not found" in found["/missing"]
    assert "Retry-After 2 h" in found["/busy"]
    assert "We would come back" in found["probed"]
    assert {"OK     schedule", "OK     clock"} <= {*found["doctor"].splitlines()}


def test_without_time_zones_the_models_have_local_times(found: Any) -> None:
    assert found["published"] == ["2026-11-01 20:00:00", "2026-11-03 06:00:00"]


def test_without_time_zones_nothing_is_pruned_that_a_feed_lists(found: Any) -> None:
    assert found["kept"] == 2


def test_the_pages_work_with_users_of_the_projects_own(found: Any) -> None:
    assert set(found["pages"].values()) == {200}
    assert (found["action"], found["resumed"]) == (200, 302)


def test_an_import_inside_of_a_transaction_is_refused(found: Any) -> None:
    assert found["refused"].startswith("OpenTransaction: an import waits for a server")
    assert "transaction.on_commit" in found["refused"]
