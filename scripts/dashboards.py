#!/usr/bin/env python3
"""Writes dashboards/*.json: the one place where panels are described.

Owns titles, descriptions, queries, units, thresholds and the layout. Knows nothing of Grafana's API:
the output is the classic model, which Grafana 9 and later import or provision as it is.

    scripts/dashboards.py            rewrites dashboards/
    scripts/dashboards.py --print    prints the streams dashboard (the drift test compares it)
"""

import json
import pathlib
import sys

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
TARGET = 'cluster=~"$cluster",namespace=~"$namespace",job=~"$job",instance=~"$instance"'
ABNORMAL = 'class="abnormal"'
GREEN, ORANGE, RED = "green", "orange", "red"

HOW_TO_READ = """\
Read from top to bottom: **held now?**, **why did streams end?**, **do heartbeats get through?**, \
**does each session reach its replica?**, **is Holter itself seeing everything?**

* **Canary** panels show streams that Holter holds itself, over two legs: `direct` to the replica and \
through the `proxy`. Trouble on the proxy leg alone is the proxy's; on both legs, the server's.
* **Log** panels show clients' streams as the proxy's log tells them. Both see the same service: never add them up.
* Class `abnormal` is somebody cutting a stream, `planned` a protocol's own end or a deploy, `client` a client \
that left, `unknown` a source that cannot tell.
* Thresholds are those of the alerts. Each alert's runbook is `docs/runbooks/<alert>.md` in Holter's repository.
* Set the data source's scrape interval to the real one: `$__rate_interval` is computed from it.
"""


def select(metric, extra=""):
    """A selector for the chosen targets."""
    return f"{metric}{{{TARGET}{',' + extra if extra else ''}}}"


def per_minute(metric, by, extra=""):
    """Events a minute, those series only that have any."""
    return f"sum by ({by}) (60 * rate({select(metric, extra)}[$__rate_interval])) > 0"


def ratio(part, whole, by):
    """Share of `part` in `whole`; no series where `whole` is 0."""
    return (
        f"sum by ({by}) (increase({select(part)}[$__rate_interval]))"
        f" / (sum by ({by}) (increase({select(whole)}[$__rate_interval])) > 0)"
    )


def gap(quantile):
    """A quantile of the time between two bytes."""
    buckets = select("holter_canary_heartbeat_gap_seconds_bucket")
    return f"histogram_quantile({quantile}, sum by (leg, le) (rate({buckets}[$__rate_interval])))"


def silence(by):
    """Seconds since the newest byte, on legs that had one."""
    aggregate = f"max by ({by})" if by else "max"
    return f"{aggregate} (time() - ({select('holter_canary_last_byte_timestamp_seconds')} > 0))"


def steps(*values):
    """Threshold steps from green over (value, colour) pairs."""
    return {
        "mode": "absolute",
        "steps": [{"color": GREEN, "value": None}] + [{"color": c, "value": v} for v, c in values],
    }


def panel(kind, title, description, width, height, queries, unit, *, thresholds=(), custom=None, options=None, mappings=None):
    """One panel; `queries` are (expression, legend) pairs."""
    defaults = {"unit": unit, "thresholds": steps(*thresholds)}
    if custom:
        defaults["custom"] = custom
    if mappings:
        defaults["mappings"] = mappings
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height},
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend}
            for n, (expr, legend) in enumerate(queries)
        ],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options or {},
    }


def stat(title, description, expr, unit, thresholds=()):
    """One number, coloured by the alert's thresholds."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background" if thresholds else "value",
        "graphMode": "area",
    }
    return panel("stat", title, description, 4, 4, [(expr, "")], unit, thresholds=thresholds, options=options)


def lines(title, description, queries, unit, thresholds=(), draw="line"):
    """A time series; bars for counts of events, lines for what lasts."""
    custom = {"drawStyle": draw, "lineWidth": 1, "fillOpacity": 60 if draw == "bars" else 0}
    if draw == "bars":
        custom["stacking"] = {"mode": "normal", "group": "A"}
    if thresholds:
        custom["thresholdsStyle"] = {"mode": "dashed"}
    options = {
        "legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"], "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel("timeseries", title, description, 12, 8, queries, unit, thresholds=thresholds, custom=custom, options=options)


def states(title, description, queries, mappings):
    """Coloured bands over time."""
    options = {
        "mergeValues": True,
        "showValue": "never",
        "rowHeight": 0.8,
        "legend": {"displayMode": "list", "placement": "bottom", "calcs": [], "showLegend": True},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 80, "lineWidth": 0}
    return panel("state-timeline", title, description, 12, 8, queries, "none", custom=custom, options=options, mappings=mappings)


def row(title):
    """A heading."""
    return {"type": "row", "title": title, "collapsed": False, "gridPos": {"w": 24, "h": 1}, "panels": []}


def text(title, content):
    """Words."""
    return {
        "type": "text",
        "title": title,
        "description": "What this dashboard answers, and how to read it.",
        "gridPos": {"w": 24, "h": 7},
        "options": {"mode": "markdown", "content": content},
    }


def arranged(panels):
    """Gives ids and places: left to right, a new line where 24 columns are full."""
    x = y = height = 0
    for number, item in enumerate(panels, start=1):
        place = item["gridPos"]
        if x + place["w"] > 24:
            x, y, height = 0, y + height, 0
        item["id"] = number
        place["x"], place["y"] = x, y
        x, height = x + place["w"], max(height, place["h"])
    return panels


HELD = {"0": {"text": "not held", "color": RED, "index": 0}, "1": {"text": "held", "color": GREEN, "index": 1}}


def streams_panels():
    """Every panel of the streams dashboard, in reading order."""
    return [
        text("How to read this", HOW_TO_READ),
        row("Are the streams up, and how many are held?"),
        stat("Streams held", "Canary streams held now, both legs.", f"sum({select('holter_canary_streams')})", "none"),
        stat(
            "Legs not held",
            "Canary legs with a stream missing now. Alert HolterCanaryDown after 3 minutes.",
            f"sum({select('holter_canary_up')} == bool 0)",
            "none",
            [(1, RED)],
        ),
        stat(
            "Abnormal ends per stream",
            "Abnormal ends for each canary stream held, in the window of one point. Alert HolterDisconnectSpike counts 5 minutes:"
            " from 0.05, at least 10 ends, and 4 times the usual.",
            f"sum(increase({select('holter_canary_disconnects_total', ABNORMAL)}[$__rate_interval]))"
            f" / (sum({select('holter_canary_streams')}) > 0)",
            "none",
            [(0.05, RED)],
        ),
        stat("Longest silence now", "Time since the newest byte, on the most silent leg.", silence(""), "s"),
        stat(
            "Canary affinity misses",
            "Share of the canaries' session requests that reached a replica without the session. Alert from 5 %.",
            ratio("holter_canary_affinity_misses_total", "holter_canary_affinity_requests_total", "job"),
            "percentunit",
            [(0.05, RED)],
        ),
        stat(
            "Clients' affinity misses",
            "Share of clients' session requests that went to another replica than the owner, by the log. Alert from 1 %.",
            ratio("holter_log_session_affinity_misses_total", "holter_log_session_requests_total", "job"),
            "percentunit",
            [(0.01, RED)],
        ),
        lines(
            "Streams held",
            "Canary streams held, by canary and leg. A proxy leg below its direct leg: look at the proxy.",
            [(f"sum by (canary, leg) ({select('holter_canary_streams')})", "{{canary}} {{leg}}")],
            "none",
        ),
        states(
            "Canary state",
            "Green while every stream of the leg is held, by replica.",
            [(f"min by (instance, canary, leg) ({select('holter_canary_up')})", "{{instance}} {{canary}} {{leg}}")],
            [{"type": "value", "options": HELD}],
        ),
        row("Why did they end, and on whose side?"),
        lines(
            "Canary: ends by reason",
            "Canary streams that ended, a minute, by leg, class and reason. Only reasons that occurred are drawn.",
            [(per_minute("holter_canary_disconnects_total", "leg, class, reason"), "{{leg}} {{class}} / {{reason}}")],
            "cpm",
            draw="bars",
        ),
        lines(
            "Logs: ends by reason",
            "Clients' streams that ended, a minute, as the proxy saw it. Mostly `unknown`: the log format cannot tell.",
            [(per_minute("holter_log_streams_closed_total", "source, class, reason"), "{{source}} {{class}} / {{reason}}")],
            "cpm",
            draw="bars",
        ),
        lines(
            "Canary: ends by class",
            "The same by class. Alerts look at `abnormal` only.",
            [(per_minute("holter_canary_disconnects_total", "leg, class"), "{{leg}} {{class}}")],
            "cpm",
            draw="bars",
        ),
        lines(
            "Logs: ends by class",
            "The same by class. Alerts look at `abnormal` only.",
            [(per_minute("holter_log_streams_closed_total", "source, class"), "{{source}} {{class}}")],
            "cpm",
            draw="bars",
        ),
        row("Do heartbeats get through, and how long are the silences?"),
        lines(
            "Gap between bytes",
            "Median and 99th percentile of the time between bytes. A proxy leg far above its direct leg is buffered.",
            [(gap(0.5), "p50 {{leg}}"), (gap(0.99), "p99 {{leg}}")],
            "s",
        ),
        lines(
            "Time since the last byte",
            "Silence now, and the interval expected. Alert HolterHeartbeatStalled from three intervals.",
            [
                (silence("canary, leg"), "{{canary}} {{leg}}"),
                (
                    f"max by (canary, leg) ({select('holter_canary_heartbeat_expected_seconds')})",
                    "expected {{canary}} {{leg}}",
                ),
            ],
            "s",
        ),
        row("Do all requests of a session reach the replica that owns it?"),
        lines(
            "Canary: affinity misses",
            "Share of session requests on fresh connections that reached a replica without the session. Alert from 5 %.",
            [
                (
                    ratio("holter_canary_affinity_misses_total", "holter_canary_affinity_requests_total", "canary, leg"),
                    "{{canary}} {{leg}}",
                )
            ],
            "percentunit",
            [(0.05, RED)],
        ),
        lines(
            "Logs: affinity misses",
            "Share of clients' session requests that went to another replica than the session's owner. Alert from 1 %.",
            [(ratio("holter_log_session_affinity_misses_total", "holter_log_session_requests_total", "source"), "{{source}}")],
            "percentunit",
            [(0.01, RED)],
        ),
        row("Does Holter itself see everything?"),
        lines(
            "Logs: time since the last line",
            "Freshness of each log. It grows on an idle server too; alert HolterLogTailStalled tells the two apart.",
            [
                (
                    f"max by (source) (time() - ({select('holter_log_last_line_timestamp_seconds')} > 0))",
                    "{{source}}",
                )
            ],
            "s",
        ),
        lines(
            "Logs: bytes not yet read",
            "How far Holter is behind the end of the file. It should return to 0.",
            [(f"max by (source) ({select('holter_log_lag_bytes')})", "{{source}}")],
            "bytes",
        ),
        lines(
            "Logs: lines not understood",
            "Share of the lines that do not fit the configured format. Alert HolterLogUnparsed from 5 %.",
            [(ratio("holter_log_lines_unparsed_total", "holter_log_lines_total", "source"), "{{source}}")],
            "percentunit",
            [(0.05, RED)],
        ),
        lines(
            "Sidecars by version",
            "Holter processes that answer scrapes.",
            [(f"count by (version) ({select('holter_build_info')})", "{{version}}")],
            "none",
        ),
    ]


def variables():
    """The data source, then each label filtered by those before. `.*` lets those through who have no such label."""
    made = [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0}]
    chosen = ""
    for name, every in (("cluster", ".*"), ("namespace", ".*"), ("job", ".+"), ("instance", ".+")):
        query = f"label_values(holter_build_info{'{' + chosen + '}' if chosen else ''}, {name})"
        made.append(
            {
                "name": name,
                "label": name.capitalize(),
                "type": "query",
                "datasource": DATASOURCE,
                "query": {"query": query, "refId": f"variable-{name}"},
                "definition": query,
                "refresh": 2,
                "sort": 1,
                "multi": True,
                "includeAll": True,
                "allValue": every,
                "current": {"text": ["All"], "value": ["$__all"]},
                "hide": 0,
            }
        )
        chosen = ",".join(filter(None, [chosen, f'{name}=~"${name}"']))
    return made


def annotation(name, colour, expr):
    """A mark on every time series."""
    target = {"expr": expr, "refId": "Anno"}
    return {"name": name, "enable": True, "iconColor": colour, "datasource": DATASOURCE, "expr": expr, "target": target}


def streams():
    """The dashboard for whoever is on call: are the streams up, and if not, why."""
    alerts = 'ALERTS{alertname=~"Holter.*",alertstate="firing",job=~"$job"}'
    restarts = f"changes({select('process_start_time_seconds')}[$__rate_interval]) > 0 and on (job, instance) holter_build_info"
    return {
        "title": "Holter / Streams",
        "uid": "holter-streams",
        "description": "Long-lived MCP streams: held, ended and why, heartbeats, session affinity.",
        "tags": ["holter", "mcp"],
        "schemaVersion": 41,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables()},
        "annotations": {
            "list": [annotation("Firing alerts", RED, alerts), annotation("Sidecar restarts", ORANGE, restarts)]
        },
        "links": [
            {
                "type": "dashboards",
                "title": "Other Holter dashboards",
                "tags": ["holter"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "panels": arranged(streams_panels()),
    }


def main():
    """Writes or prints."""
    written = json.dumps(streams(), indent=2) + "\n"
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(written)
    else:
        folder = pathlib.Path(__file__).resolve().parent.parent / "dashboards"
        folder.joinpath("streams.json").write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
