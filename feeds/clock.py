"""The time: aware inside of the app, and in its models as the host project has it, naive where `USE_TZ` is off.

A naive time is one of the host's `TIME_ZONE`. When its clocks are put back, an hour comes twice, and a check planned
into it may come an hour late.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import functions
from django.utils import timezone
from django.utils.deconstruct import deconstructible

Moment = TypeVar("Moment", datetime, datetime | None)

SKEW = timedelta(minutes=2)  # by which the clocks of two hosts may differ


def now() -> datetime:
    return aware(timezone.now())


def aware(moment: Moment) -> Moment:
    """Return a moment that came from a row, or from Django, for calculations."""
    if moment is None or timezone.is_aware(moment):
        return moment
    return timezone.make_aware(moment).astimezone(UTC)


def past(moment: datetime | None, now: datetime) -> datetime | None:
    """Return a moment that came from a row, aware; None for one in the future, which a clock that was wrong wrote."""
    moment = aware(moment)
    return moment if moment is not None and moment <= now + SKEW else None


if TYPE_CHECKING:
    MomentField = models.DateTimeField  # whose types depend on its options
else:

    class MomentField(models.DateTimeField):
        """Django's own, but it takes an aware time where `USE_TZ` is off, too: SQLite would refuse that."""

        def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
            if isinstance(value, datetime) and timezone.is_aware(value) and not settings.USE_TZ:
                value = timezone.make_naive(value)
            return super().get_db_prep_value(value, connection, prepared)

        def deconstruct(self) -> tuple[str, str, Any, Any]:
            """Return Django's field: for a migration there is no difference."""
            name, _, arguments, options = super().deconstruct()
            return name, "django.db.models.DateTimeField", arguments, options


@deconstructible(path="django.db.models.functions.datetime.Now")  # for a migration there is no difference
class Now(functions.Now):
    """The time by the database's clock: of SQLite, which tells it in UTC, the local one where `USE_TZ` is off."""

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        if settings.USE_TZ:
            return super().as_sqlite(compiler, connection, **context)
        template = "STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'NOW', 'localtime')"
        return self.as_sql(compiler, connection, template=template, **context)
