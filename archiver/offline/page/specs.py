"""Vega-Lite specifications of the charts, one for each kind.

They have no data: page.js adds the data sets, `rows` and others.
"""

from __future__ import annotations

from typing import Any

# Vega expressions are interpreted and not compiled, as the page's policy forbids `eval`: functions of Vega only.
# Labels of amounts, as 1.5k. Vega's own format `~s` would write G for a billion.
_SHORT = (
    "abs(datum.value) >= 1e12 ? format(datum.value / 1e12, '~r') + 'tn' : "
    "abs(datum.value) >= 1e9 ? format(datum.value / 1e9, '~r') + 'bn' : "
    "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, '~r') + 'M' : "
    "abs(datum.value) >= 1e3 ? format(datum.value / 1e3, '~r') + 'k' : format(datum.value, '~r')"
)
# Labels of days: `4 Feb`, but the first of a month `Feb`, and of a year `2026`.
_WHEN = (
    "utcdate(datum.value) != 1 ? utcFormat(datum.value, '%-d %b') : "
    "utcmonth(datum.value) == 0 ? utcFormat(datum.value, '%Y') : utcFormat(datum.value, '%b')"
)
_DAYS = {
    "scale": {"type": "utc"},
    "type": "temporal",
    "axis": {
        "title": None,
        "grid": False,
        "labelExpr": _WHEN,
        "labelAlign": "left",
        "labelBound": True,
        "tickCount": {"expr": "ceil(width / 70)"},  # 70 pixels fit the longest label and a space
    },
}
# Vega measures texts to lay them out, so it has to have the font of page.css, and cannot inherit it.
_FONT = (
    "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', "
    "system-ui, sans-serif"
)
MARK_COLOUR = "#aa3377"
"""The colour of what a chart points at."""
_CONFIG = {
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "labelFontSize": 12,
        "labelPadding": 8,
        "labelColor": "#666",
        "gridColor": "#ddd",
        "titleFontWeight": "normal",
    },
    "axisX": {"labelOverlap": "greedy", "labelSeparation": 12},
    "bar": {"binSpacing": 0},
}
# Shaded stretches behind the data: days that are not archived.
_GAPS = {
    "data": {"name": "gaps"},
    "mark": {"type": "rect", "tooltip": None, "color": "#c98a00", "opacity": 0.22},
    "encoding": {"x": {"field": "begin", **_DAYS}, "x2": {"field": "end"}},
}
# Invisible columns in front of the data, one for each bucket. The tooltip shows all lines of a bucket, wherever in its
# column the pointer is.
_HOVER = {
    "data": {"name": "buckets"},
    "params": [{"name": "at", "select": {"type": "point", "on": "pointerover", "clear": "pointerout"}}],
    "mark": {"type": "rect", "color": "#888"},
    "encoding": {
        "x": {"field": "begin", **_DAYS},
        "x2": {"field": "end"},
        "opacity": {"condition": {"param": "at", "empty": False, "value": 0.16}, "value": 0},
        "tooltip": {"field": "key"},
    },
}


def _wide(height: int, layer: list[dict[str, Any]]) -> dict[str, Any]:
    sized = {"width": "container", "height": height, "autosize": {"type": "fit-x", "contains": "padding"}}
    return {**sized, "data": {"name": "rows"}, "layer": layer, "config": _CONFIG}


def _value_axis(labels: str) -> dict[str, Any]:
    return {"title": None, "tickCount": 5, "labelExpr": labels}


def stack() -> dict[str, Any]:
    """Return the chart of stacked bars over time.

    A part of a bar reaches from `low` to `high`, which page.js stacks exactly.
    """
    bars = {
        "mark": {"type": "bar", "tooltip": None},
        "encoding": {
            "x": {"field": "begin", **_DAYS},
            "x2": {"field": "till"},
            "y": {"field": "low", "type": "quantitative", "axis": _value_axis(_SHORT)},
            "y2": {"field": "high"},
            "color": {"field": "colour", "type": "nominal", "scale": None},
        },
    }
    marks = {
        "data": {"name": "marks"},
        "mark": {"type": "point", "shape": "triangle-down", "filled": True, "size": 60, "yOffset": -8, "tooltip": None},
        "encoding": {
            "x": {"field": "middle", **_DAYS},
            "y": {"field": "high", "type": "quantitative"},
            "color": {"value": MARK_COLOUR},
            "opacity": {"field": "opacity", "type": "quantitative", "scale": None},
        },
    }
    return _wide(280, [_GAPS, bars, marks, _HOVER])


def rate() -> dict[str, Any]:
    """Return the chart of rates over time, as lines.

    A line breaks where the rate has no denominator.
    """
    encoding = {
        "x": {"field": "middle", **_DAYS},
        "y": {
            "field": "rate",
            "type": "quantitative",
            "scale": {"zero": False, "nice": True, "clamp": True},
            "axis": _value_axis("format(datum.value, '.0%')"),
        },
        "color": {"field": "colour", "type": "nominal", "scale": None},
        "detail": {"field": "name"},
    }
    line = {
        "mark": {"type": "line", "strokeWidth": 2, "tooltip": None, "invalid": "break-paths-show-domains"},
        "encoding": encoding,
    }
    # A rate between two breaks is no line, only a point.
    points = {"mark": {"type": "circle", "size": 14, "opacity": 1, "tooltip": None}, "encoding": encoding}
    return _wide(240, [_GAPS, line, points, _HOVER])


def ranked() -> dict[str, Any]:
    """Return the chart of horizontal bars, each below its name and value.

    `height` is that of one bar; page.js multiplies it.
    """
    place: dict[str, Any] = {"field": "place", "type": "ordinal", "axis": None}
    text = {"type": "text", "baseline": "bottom", "dy": -9, "fontSize": 13, "tooltip": None}
    layer: list[dict[str, Any]] = [
        {
            "mark": {"type": "bar", "height": 10, "cornerRadius": 2, "yOffset": 0},
            "encoding": {
                "x": {"field": "value", "type": "quantitative", "axis": None},
                "color": {"field": "colour", "type": "nominal", "scale": None},
                "tooltip": {"field": "key"},
            },
        },
        {
            "mark": {**text, "align": "left", "limit": {"expr": "max(60, width - 130)"}},
            "encoding": {"x": {"value": 0}, "text": {"field": "name"}},
        },
        {
            "mark": {**text, "align": "right"},
            "encoding": {"x": {"value": "width"}, "text": {"field": "amount"}},
        },
    ]
    return {**_wide(44, layer), "encoding": {"y": place}}


def bars() -> dict[str, Any]:
    """Return the chart of one or two horizontal bars below each name.

    `height` is that of one place; page.js multiplies it, and leaves out the layers without data.
    """
    place: dict[str, Any] = {"field": "place", "type": "ordinal", "axis": None}
    text = {"type": "text", "baseline": "bottom", "dy": -12, "fontSize": 13, "tooltip": None}
    names = {"name": "names"}
    value = {"field": "value", "type": "quantitative", "axis": None}
    colour = {"field": "colour", "type": "nominal", "scale": None}
    sides = [
        {
            "data": {"name": side},
            "mark": {"type": "bar", "height": 8, "cornerRadius": 2, "yOffset": offset},
            "encoding": {"x": {**value, "stack": None}, "color": colour, "tooltip": {"field": "key"}},
        }
        for side, offset in (("upper", -3), ("lower", 7))
    ]
    layer: list[dict[str, Any]] = [
        *sides,
        {
            "data": {"name": "ticks"},
            "mark": {"type": "tick", "orient": "vertical", "thickness": 2, "size": 18, "yOffset": -3, "tooltip": None},
            "encoding": {"x": value, "color": colour},
        },
        {
            "data": names,
            "mark": {**text, "align": "left", "limit": {"expr": "max(60, width - 190)"}},
            "encoding": {"x": {"value": 0}, "text": {"field": "name"}},
        },
        {
            "data": names,
            "mark": {**text, "align": "right"},
            "encoding": {"x": {"value": "width"}, "text": {"field": "amount"}},
        },
    ]
    return {**_wide(56, layer), "encoding": {"y": place}}


def fan() -> dict[str, Any]:
    """Return the chart of a sum that grows by day, with a range."""
    x = {"field": "end", **_DAYS}
    layer: list[dict[str, Any]] = [
        {
            "mark": {"type": "area", "opacity": 0.25, "tooltip": None},
            "encoding": {
                "x": x,
                "y": {"field": "low", "type": "quantitative", "axis": _value_axis(_SHORT)},
                "y2": {"field": "high"},
                "color": {"field": "colour", "type": "nominal", "scale": None},
            },
        },
        {
            "mark": {"type": "line", "strokeWidth": 2, "tooltip": None},
            "encoding": {
                "x": x,
                "y": {"field": "value", "type": "quantitative"},
                "color": {"field": "colour", "type": "nominal", "scale": None},
                "strokeDash": {"condition": {"test": "datum.part == 'projected'", "value": [5, 4]}, "value": [1, 0]},
            },
        },
        {**_HOVER, "data": {"name": "rows"}},
    ]
    return _wide(260, layer)


def strips() -> dict[str, Any]:
    """Return the chart of ranges of time, with a row for each series.

    `height` is that of one row; page.js multiplies it.
    """
    place: dict[str, Any] = {"field": "place", "type": "ordinal", "axis": None}
    text = {"type": "text", "baseline": "bottom", "align": "left", "dy": -11, "fontSize": 13}
    layer: list[dict[str, Any]] = [
        {
            "mark": {"type": "bar", "height": 14, "cornerRadius": 2},
            "encoding": {
                "x": {"field": "begin", **_DAYS},
                "x2": {"field": "end"},
                "color": {"field": "colour", "type": "nominal", "scale": None},
                "tooltip": {"field": "key"},
            },
        },
        {
            "data": {"name": "names"},
            "mark": {**text, "tooltip": None, "limit": {"expr": "width"}},
            "encoding": {"x": {"value": 0}, "text": {"field": "name"}},
        },
    ]
    return {**_wide(52, layer), "encoding": {"y": place}}


SPECS = {"stack": stack(), "rate": rate(), "ranked": ranked(), "strips": strips(), "bars": bars(), "fan": fan()}
