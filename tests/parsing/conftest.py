from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.rigs.parsing_children import Family


@pytest.fixture(scope="module")
def family() -> Iterator[Family]:
    """One for all tests that leave its children alone: to start them takes a second."""
    family = Family()
    with closing(family.parser):
        yield family


@pytest.fixture
def own_family() -> Iterator[Family]:
    family = Family()
    with closing(family.parser):
        yield family


@pytest.fixture
def hasty_family() -> Iterator[Family]:
    family = Family(limit=2)
    with closing(family.parser):
        yield family
