"""Clients that people have: pandas without options, and the Python client of Prometheus.

    python clients.py http://127.0.0.1:8080
"""

import datetime
import io
import sys
import urllib.request

import pandas
from prometheus_api_client import MetricRangeDataFrame, PrometheusConnect

base = sys.argv[1]


def table(path):
    with urllib.request.urlopen(base + path) as answer:
        return pandas.read_csv(io.BytesIO(answer.read()), dtype={"key": str})


month = (datetime.date.today() - datetime.timedelta(days=31)).strftime("%Y-%m")
ranking = table(f"/v1/indicators/dossiers_received/breakdown?by=commune&period={month}&format=csv")
assert len(ranking) == 130, ranking.shape
whole = pandas.read_json(base + "/v1/indicators/dossiers_received/value?period=" + month, typ="series")
assert ranking["value"].sum() == whole["value"], (ranking["value"].sum(), whole["value"])

series = table("/v1/indicators/online_filing_rate/series?last=14d&format=csv")
assert len(series) == 14 and series["value"].dropna().between(0, 1).all(), series

prometheus = PrometheusConnect(url=base + "/prometheus", disable_ssl=True)
assert prometheus.check_prometheus_connection()
metrics = prometheus.all_metrics()
assert "ioc_dossiers_received" in metrics, metrics[:10]
newest = prometheus.custom_query("topk(5, last_over_time(ioc_dossiers_received[7d]))")
assert len(newest) == 5, newest
end = datetime.datetime.now()
rows = prometheus.custom_query_range(
    "ioc_on_time_rate_province_ratio", start_time=end - datetime.timedelta(days=10), end_time=end, step="24h"
)
frame = MetricRangeDataFrame(rows)
assert len(frame) > 3 and frame["value"].between(0, 1).all(), frame
print(f"{len(ranking)} communes, {len(series)} days, {len(metrics)} metrics, {len(frame)} samples")
