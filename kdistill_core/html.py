"""Pages that leave the program: one way to fill a template, so that what goes into a page is always escaped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def page_template(package: str, name: str) -> Template:
    """Return the template ``name`` from the folder ``templates`` of a package. A name that it lacks is an error.

    jinja2 is imported here: few runs write a page.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
