"""Rows deleted with all that refers to them, in bounded memory: Django itself loads all that a delete takes along.

Knows nothing of feeds. `on_delete` is obeyed and signals are sent as ever, but each batch has a transaction of its own,
unless the caller has one.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.db import models
from django.db.models import signals

BATCH = 10_000  # rows of one delete
WHOLE = 500  # rows of one delete, where receivers get them with all their columns

Rows = models.QuerySet[Any]
Advance = Callable[[dict[str, int]], object]  # the numbers of rows by the labels of their models


def delete_rows(
    rows: Rows, advance: Advance = dict, above: frozenset[type[models.Model]] = frozenset()
) -> Counter[str]:
    """Delete rows; return how many of each model went. `advance` is told the same of each batch.

    `above` are the models that led here: where rows refer in a circle, the rest is Django's.
    """
    model, deleted = rows.model, Counter[str]()
    has_receivers = signals.pre_delete.has_listeners(model) or signals.post_delete.has_listeners(model)
    left = rows.order_by("pk")
    while ids := list(left.values_list("pk", flat=True)[: WHOLE if has_receivers else BATCH]):
        left = left.filter(pk__gt=ids[-1])  # what a trigger keeps is not tried for ever
        for relation in relations(model, models.CASCADE):
            if relation.related_model not in {model, *above}:
                deleted += delete_rows(referring(relation, ids, rows.db), advance, above | {model})
        batch = model._base_manager.using(rows.db).filter(pk__in=ids)
        _, by_model = models.QuerySet.delete(batch if has_receivers else batch.only("pk"))
        advance(by_model)
        deleted.update(by_model)
    return deleted


def refuse_protected(rows: Rows) -> None:
    """Raise ProtectedError where rows of others keep these, or what goes with them, from being deleted."""
    if names := sorted(protectors(rows)):
        listed = ", ".join(f"'{name}'" for name in names)
        text = f"Cannot delete some instances of model '{rows.model.__name__}' because they are referenced through"
        raise models.ProtectedError(f"{text} protected foreign keys: {listed}.", set())


def protectors(rows: Rows) -> Iterator[str]:
    """Yield the protected foreign keys, such as `Bookmark.entry`, that refer to the rows or to what goes with them."""
    ids = list(rows.values_list("pk", flat=True))
    for way, model in _going_along(rows.model):
        for relation in relations(model, models.PROTECT, models.RESTRICT):
            if referring(relation, ids, rows.db, way).exists():
                yield f"{relation.related_model.__name__}.{relation.field.name}"


def _going_along(
    model: type[models.Model], way: str = "", above: frozenset[type[models.Model]] = frozenset()
) -> Iterator[tuple[str, type[models.Model]]]:
    """Yield the model, and those whose rows are deleted with its rows, each with the way by which it refers to them."""
    yield way, model
    for each in relations(model, models.CASCADE):
        if each.related_model not in {model, *above}:
            yield from _going_along(each.related_model, f"__{each.field.name}{way}", above | {model})


def relations(model: type[models.Model], *on_delete: Any) -> Iterator[Any]:
    """Yield the relations of other models to this one that do one of these when it is deleted."""
    fields = (field for field in model._meta.get_fields(include_hidden=True) if field.auto_created)
    for field in fields:
        if not field.concrete and (field.one_to_one or field.one_to_many) and field.on_delete in on_delete:  # type: ignore[union-attr]
            yield field


def referring(relation: Any, ids: list[Any], database: str, way: str = "") -> Rows:
    """Return the rows that refer to some, by their ids; or to rows that refer to them that way."""
    rows: Rows = relation.related_model._base_manager.using(database)
    return rows.filter(**{f"{relation.field.name}{way}__in": ids})
