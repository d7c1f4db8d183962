"""Spans of the built server, read by OpenTelemetry's own messages in Python.

python traces.py SCENARIO: ends with 0 if the scenario went as it should.
"""

import http.client
import http.server
import threading

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from proxy_gate import FROM_BALANCER, Gate, Upstream, eventually, head, run

# Of the examples of W3C and of AWS.
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
XRAY = "Root=1-67891233-abcdef012345678912345678"
OFTEN = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


class Collector:
    """Takes spans by OTLP over HTTP, and answers with a status."""

    def __init__(self, status=200):
        self.spans, self.resources, self.status, self.requests = [], [], status, 0
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                assert self.headers["content-type"] == "application/x-protobuf", self.headers
                assert self.path == "/v1/traces", self.path
                collector.take(ExportTraceServiceRequest.FromString(body))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(collector.status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, request):
        self.requests += 1
        for resource in request.resource_spans:
            self.resources.append(attributes(resource.resource))
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def of(self, kind):
        return [span for span in self.spans if span.kind == kind]


def attributes(thing):
    def value(attribute):
        which = attribute.value.WhichOneof("value")
        return getattr(attribute.value, which)

    return {attribute.key: value(attribute) for attribute in thing.attributes}


class Service:
    """An upstream that keeps the heads of its requests."""

    def __init__(self, status="200 OK"):
        self.heads = []

        def serve(connection):
            while read := head(connection):
                self.heads.append(read.decode("latin-1").lower().split("\r\n"))
                connection.sendall(f"HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok".encode())

        self.url = Upstream(serve).url

    def values(self, name):
        lines = [line.split(": ", 1) for line in self.heads[-1][1:] if ": " in line]
        return [value for key, value in lines if key == name]


def get(port, *headers, path="/orders?secret=1", verified=True):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("GET", path, skip_accept_encoding=True)
    own = FROM_BALANCER.items() if verified else [("x-forwarded-for", "192.0.2.7")]
    for name, value in [*own, *headers]:
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    response.read()
    return response.status


def requests():
    """A request is one trace: the caller's span, the gate's, the exchange's, and the service's."""
    collector, service = Collector(), Service()
    with Gate(service.url, SERVER_TRACES=collector.url, OTEL_RESOURCE_ATTRIBUTES="team=b2b", **OFTEN) as gate:
        assert get(gate.port, ("traceparent", TRACEPARENT), ("tracestate", "vendor=1"), ("x-amzn-trace-id", XRAY)) == 200
        eventually(lambda: len(collector.spans) == 2)
        [own], [exchange] = collector.of(Span.SPAN_KIND_SERVER), collector.of(Span.SPAN_KIND_CLIENT)
        assert own.trace_id.hex() == exchange.trace_id.hex() == TRACE
        assert own.parent_span_id.hex() == CALLER and exchange.parent_span_id == own.span_id
        assert service.values("traceparent") == [f"00-{TRACE}-{exchange.span_id.hex()}-01"], service.heads
        assert service.values("tracestate") == ["vendor=1"]
        assert own.start_time_unix_nano <= exchange.start_time_unix_nano
        assert exchange.end_time_unix_nano <= own.end_time_unix_nano
        assert own.name == "GET"
        # The query can be private.
        assert attributes(own) == {
            "http.request.method": "GET",
            "url.path": "/orders",
            "alb_mtls.decision": "allowed",
            "http.response.status_code": 200,
        }, own
        assert attributes(exchange) == {"server.address": service.url, "http.response.status_code": 200}
        resource = collector.resources[0]
        assert resource["service.name"] == "alb-mtls-server" and resource["team"] == "b2b", resource
        eventually(gate.decisions)
        [record] = gate.decisions()
        trace = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={own.span_id.hex()};Sampled=1"
        assert record["xray_trace_id"] == trace and record["alb_trace_id"] == XRAY, record

        # Without a caller's span, the trace is the load balancer's, and the span its root.
        collector.spans.clear()
        assert get(gate.port, ("x-amzn-trace-id", XRAY)) == 200
        eventually(lambda: len(collector.spans) == 2)
        [own] = collector.of(Span.SPAN_KIND_SERVER)
        assert own.trace_id.hex() == "67891233abcdef012345678912345678" and not own.parent_span_id
        assert service.values("x-amzn-trace-id") == [XRAY.lower()]

        # Without either, the next trace is not that of the request before.
        collector.spans.clear()
        assert get(gate.port) == 200
        eventually(lambda: len(collector.spans) == 2)
        assert len({span.trace_id for span in collector.spans} - {own.trace_id}) == 1

        # A denial is a span without an exchange.
        collector.spans.clear()
        assert get(gate.port, verified=False) == 401
        eventually(lambda: collector.spans)
        [own] = collector.spans
        assert attributes(own)["alb_mtls.decision"] == "denied"
        assert attributes(own)["alb_mtls.reason"] == gate.decisions()[-1]["code"], own
        assert attributes(own)["http.response.status_code"] == 401
        # It is the client's error, not the server's.
        assert own.status.code == Status.STATUS_CODE_UNSET

    broken = Service("503 Service Unavailable")
    collector.spans.clear()
    with Gate(broken.url, SERVER_TRACES=collector.url, OTEL_SERVICE_NAME="gate", **OFTEN) as gate:
        assert get(gate.port) == 503
        eventually(lambda: len(collector.spans) == 2)
        assert all(span.status.code == Status.STATUS_CODE_ERROR for span in collector.spans)
        assert collector.resources[-1]["service.name"] == "gate"


def callers():
    """A caller can have its trace left out, and cannot have it sent or break others."""
    collector, service = Collector(), Service()
    forged = [
        [("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)],
        [("traceparent", "00-" + "0" * 32 + f"-{CALLER}-01"), ("tracestate", "forged=1")],
        [("traceparent", "x" * 8000)],
        [("x-amzn-trace-id", XRAY), ("x-amzn-trace-id", XRAY)],
        [("x-amzn-trace-id", "Root=1-\u00e9")],
    ]
    with Gate(service.url, SERVER_TRACES=collector.url, **OFTEN) as gate:
        for headers in forged:
            collector.spans.clear()
            assert get(gate.port, *headers) == 200
            eventually(lambda: len(collector.spans) == 2)
            [trace] = {span.trace_id.hex() for span in collector.spans}
            assert trace not in (TRACE, "0" * 32), headers
            [parent] = service.values("traceparent")
            assert parent.split("-")[1] == trace, headers
            assert service.values("tracestate") == [], headers
        collector.spans.clear()
        assert get(gate.port, ("traceparent", TRACEPARENT[:-1] + "0")) == 200
        # The services after it are told the same.
        assert service.values("traceparent")[0].startswith(f"00-{TRACE}-")
        assert service.values("traceparent")[0].endswith("-00")
        assert get(gate.port) == 200
        eventually(lambda: len(collector.spans) == 2)
        assert all(span.trace_id.hex() != TRACE for span in collector.spans)
    collector.spans.clear()
    with Gate(service.url, SERVER_TRACES=collector.url, SERVER_TRACES_SHARE="0%", **OFTEN) as gate:
        assert get(gate.port, ("traceparent", TRACEPARENT)) == 200
        assert service.values("traceparent")[0].endswith("-00")
        gate.process.terminate()
        gate.process.wait(20)
    assert not collector.spans


def collectors():
    """A collector that fails costs requests nothing, and its spans alone."""
    service = Service()

    def spans_are_lost(gate, times=1):
        return [line.get("kind") for line in gate.lines].count("traces") == times

    # Nothing listens on this port.
    with Gate(service.url, SERVER_TRACES="http://127.0.0.1:9/v1/traces", **OFTEN) as gate:
        assert all(get(gate.port) == 200 for _ in range(5))
        eventually(lambda: spans_are_lost(gate))
        gate.process.terminate()
        assert gate.process.wait(20) == 0
    collector = Collector(status=500)
    with Gate(service.url, SERVER_TRACES=collector.url, SERVER_DRAIN="0s", **OFTEN) as gate:
        assert get(gate.port) == 200
        eventually(lambda: spans_are_lost(gate))
        collector.status = 200
        collector.spans.clear()
        eventually(lambda: get(gate.port) == 200 and any("again" in line["message"] for line in gate.lines))
        # The last ones are sent at the end.
        collector.spans.clear()
        assert get(gate.port, ("traceparent", TRACEPARENT)) == 200
        gate.process.terminate()
        assert gate.process.wait(20) == 0
        assert any(span.trace_id.hex() == TRACE for span in collector.spans)


def questions():
    """The authorization service has a span for each question, below that of the proxy."""
    collector = Collector()
    variables = {"SERVER_AUTHORIZE_LISTEN": "127.0.0.1:0", "SERVER_TRACES": collector.url} | OFTEN
    with Gate("http://127.0.0.1:9", setting="SERVER_AUTHORIZE_LISTEN", **variables) as gate:
        path = "/authorize/envoy/orders"
        assert get(gate.port, ("traceparent", TRACEPARENT), path=path) == 200
        assert get(gate.port, ("traceparent", TRACEPARENT), path=path, verified=False) == 401
        eventually(lambda: len(collector.spans) == 2)
        for span, decision in zip(collector.spans, ("allowed", "denied"), strict=True):
            assert span.name == "authorize" and span.parent_span_id.hex() == CALLER, span
            assert attributes(span)["alb_mtls.decision"] == decision, span
            assert attributes(span)["url.path"] == "/orders", span


SCENARIOS = {scenario.__name__: scenario for scenario in (requests, callers, collectors, questions)}

if __name__ == "__main__":
    run(SCENARIOS)
