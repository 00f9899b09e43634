"""Migrations of a release while workers of the one before still run."""

from django.db.migrations import AddField, RemoveField, RenameField
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED, Field

INITIAL = "0001_initial"


def hinders_old_workers(operation: object) -> bool:
    """Tell whether workers that do not know the operation can write no more: a row of theirs lacks a new column."""
    if isinstance(operation, AddField):
        field = operation.field
        return isinstance(field, Field) and not field.null and field.db_default is NOT_PROVIDED
    return isinstance(operation, RenameField)


def test_no_migration_hinders_workers_of_the_release_before() -> None:
    migrations = MigrationLoader(None).disk_migrations
    later = [migration for (app, name), migration in migrations.items() if app == "feeds" and name != INITIAL]
    operations = [operation for migration in later for operation in migration.operations]
    assert [operation for operation in operations if hinders_old_workers(operation)] == []


def test_a_column_without_a_default_of_the_databases_would_hinder_them() -> None:
    assert hinders_old_workers(AddField("feed", "count", Field(default=0)))
    assert not hinders_old_workers(AddField("feed", "count", Field(default=0, db_default=0)))
    assert not hinders_old_workers(RemoveField("feed", "count"))
