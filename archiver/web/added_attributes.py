"""Attributes that the templates of Datasette lack.

They are for the browser's policy of scripts, and for screen readers.
"""

from __future__ import annotations

from jinja2.ext import Extension

_ADDED = (
    ("<script", '<script nonce="{{ nonce }}"'),
    ('<select name="_filter_column', '<select aria-label="column" name="_filter_column'),
    ('<select name="_filter_op', '<select aria-label="comparison" name="_filter_op'),
    ('<input type="text" name="_filter_value', '<input aria-label="value" type="text" name="_filter_value'),
    ('<select name="_sort"', '<select aria-label="sort by" name="_sort"'),
    ("cmResize(editor", 'editor.getInputField().setAttribute("aria-label", "SQL");\n        cmResize(editor'),
)
"""The beginning of an element, and the same with its attribute."""


class AddedAttributes(Extension):
    """Extension that adds attributes to the elements of a template.

    Scripts get the nonce of the request, without which no browser runs them. The source of the template is changed
    before any value is filled in, so a script in a value gets no nonce.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002  # jinja's
        """Return the source with the attributes."""
        for element, with_attribute in _ADDED:
            source = source.replace(element, with_attribute)
        return source
