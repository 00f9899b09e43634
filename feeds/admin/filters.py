"""The filters of the list of feeds: how they are, and why they fail, in groups."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from feeds import clock
from feeds.managers import STATES
from feeds.models import Feed
from feeds.outcomes import FailureKind


class StateFilter(SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in STATES]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        state = self.value()
        return queryset.in_state(state, clock.now()) if state in STATES else queryset


class WhyFilter(SimpleListFilter):
    title = "why it fails"
    parameter_name = "why"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in dict.fromkeys(kind.group for kind in FailureKind)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Feed]) -> QuerySet[Feed]:
        kinds = [kind for kind in FailureKind if kind.group == self.value()]
        return queryset.filter(error_kind__in=kinds) if kinds else queryset
