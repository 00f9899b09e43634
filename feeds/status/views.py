"""The status page: one look says whether imports go on, and if not, why. It needs no script and refreshes itself."""

import secrets
from datetime import datetime, timedelta
from typing import Any

import dramatiq
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, HttpResponseRedirect
from django.shortcuts import render
from django.utils.timesince import timesince
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods

from feeds import brokers, clock
from feeds.management.progress import counted
from feeds.managers import LATE
from feeds.status import diagnosis, figures, locks

REFRESH = 30  # seconds
MOST_LOCKS = 50  # in the table
STOPPING = ("database", "migrations", "broker", "lock store", "workers", "schedule")  # without them nothing is imported


@staff_member_required(login_url="admin:login")  # type: ignore[untyped-decorator]
@permission_required("feeds.view_feed", raise_exception=True)
@cache_control(no_store=True)
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Show the page; POST breaks a lock."""
    if request.method == "POST":
        return _break(request)
    nonce = secrets.token_urlsafe(16)
    response = render(request, "feeds/status.html", context(clock.now()) | {"nonce": nonce, "refresh": REFRESH})
    response["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    if "still" not in request.GET:
        response["Refresh"] = str(REFRESH)  # a header, for it works without a script
    return response


def _break(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    if not user.has_perm("feeds.change_feed"):
        return HttpResponseForbidden("You may not break locks.")
    if (key := locks.break_lock(request.POST.get("lock", ""))) is None:
        messages.warning(request, "No such lock is held any more.")
    else:
        text = "If its holder still works, another may now begin; only one of them will be stored."
        messages.success(request, f"Broken: {key}. {text}")
    return HttpResponseRedirect(request.path)


def context(now: datetime) -> dict[str, Any]:
    """Return what the template shows. The queries are as many for a million feeds as for one."""
    findings = [finding for finding in diagnosis.examine() if finding.problems]
    counts, day, hosts = figures.feeds(now), figures.day(now), figures.hosts(now)
    # Workers tell every half minute what they did; an import with a row in the history is known at once.
    last = max(filter(None, (day.last, hosts.last)), default=None)
    return {
        "now": now,
        "state": (state := _state(findings, counts)),
        "sign": {"good": "✓", "bad": "✗", "warn": "!"}[state],
        "sentence": _sentence(findings, counts, last, now),
        "findings": findings,
        "feeds": counts,
        "last": last,
        "charts": [_chart("Checks per minute", day.checks), _chart("New entries per hour", day.new)],
        "hosts": hosts,
        "workers": diagnosis.workers(now),
        "schedule_at": diagnosis.schedule_at(),
        "queues": diagnosis.or_none(lambda: brokers.server(dramatiq.get_broker()).depths()),
        "locks": diagnosis.or_none(lambda: locks.held(now.timestamp(), MOST_LOCKS)) or (),
    }


def _state(findings: list[diagnosis.Finding], counts: figures.Feeds) -> str:
    if _stopping(findings):
        return "bad"
    return "warn" if findings or counts.late else "good"


def _stopping(findings: list[diagnosis.Finding]) -> list[diagnosis.Finding]:
    return [finding for finding in findings if finding.part in STOPPING and finding.fails]


def _sentence(findings: list[diagnosis.Finding], counts: figures.Feeds, last: datetime | None, now: datetime) -> str:
    if stopping := _stopping(findings):
        if last is None:
            return f"Nothing is imported: {_causes(stopping)}"
        if now - last > timedelta(minutes=2):
            return f"Nothing has been imported for {timesince(last, now, depth=1)}: {_causes(stopping)}"
        return f"Imports will stop: {_causes(stopping)}"
    if counts.late:
        more = "more than " if counts.late == figures.MOST_COUNTED else ""
        return f"Late: {more}{counted(counts.late, 'feed')} due for more than {LATE.seconds // 60} minutes"
    if findings:
        return f"Imports go on, but {_causes(findings)}"
    return f"Healthy: {counted(counts.total, 'feed')} on time"


def _causes(findings: list[diagnosis.Finding]) -> str:
    return "; ".join(finding.problems[0].text.rstrip(".") for finding in findings)


def _chart(title: str, values: list[tuple[datetime, float]]) -> dict[str, Any]:
    return {"title": title, "values": values, "highest": max(value for _, value in values), "last": values[-1][1]}
