"""The health pages: `/healthz` says that the process is up, `/readyz` whether its servers are there."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from feeds import health


@cache_control(no_store=True)
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer without any I/O."""
    return JsonResponse({"status": "ok"})


@cache_control(no_store=True)
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200, or 503 with what is wrong under the name of each part that failed."""
    parts = health.readiness()
    ready = all(answer == health.OK for answer in parts.values())
    return JsonResponse({"status": "ok" if ready else "failed", **parts}, status=200 if ready else 503)
