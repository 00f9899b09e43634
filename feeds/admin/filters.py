"""The filters of the list of feeds: how they are, and why they fail, in groups."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet

from feeds import clock
from feeds.models import Feed
from feeds.outcomes import FAILURE_GROUPS

if TYPE_CHECKING:
    from django.http import HttpRequest

ACTIVE = Q(status=Feed.Status.ACTIVE)


class StateFilter(SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = ("well", "failing", "late", "never checked", "paused", "disabled")
        return [(name.replace(" ", "_"), name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Feed]) -> QuerySet[Feed]:
        conditions = {
            "well": ACTIVE & Q(error_kind="", checked_at__isnull=False),
            "failing": ACTIVE & ~Q(error_kind=""),
            "late": ACTIVE & Q(next_check_at__lt=clock.now() - timedelta(minutes=10)),
            "never_checked": ACTIVE & Q(checked_at__isnull=True),
            "paused": Q(status=Feed.Status.PAUSED),
            "disabled": Q(status=Feed.Status.DISABLED),
        }
        condition = conditions.get(self.value() or "")
        return queryset if condition is None else queryset.filter(condition)


class WhyFilter(SimpleListFilter):
    title = "why it fails"
    parameter_name = "why"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in FAILURE_GROUPS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Feed]) -> QuerySet[Feed]:
        kinds = FAILURE_GROUPS.get(self.value() or "")
        return queryset if kinds is None else queryset.filter(error_kind__in=kinds)
