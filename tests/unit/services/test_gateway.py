import pytest
from bakery_service.errors import BadEnvironment
from bakery_service.gateway.limits import Decision, Limits, judge, read_limits
from bakery_service.gateway.routes import Backends, client_address, outgoing, returning, route

BACKENDS = Backends("http://{name}-service:8000", "http://frontend:8080")
LIMITS = Limits(enabled=True, per_minute=100, burst=20)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/api/auth/items", "http://auth-service:8000/items"),
        ("/api/alert-processor", "http://alert-processor-service:8000/"),
        ("/api/orders/items/a%2Fb", "http://orders-service:8000/items/a%2Fb"),
        ("/api/auth/metrics-of-mine", "http://auth-service:8000/metrics-of-mine"),
        ("/", "http://frontend:8080/"),
        ("/style.css", "http://frontend:8080/style.css"),
        ("/apidocs", "http://frontend:8080/apidocs"),
    ],
)
def test_a_path_leads_to_its_backend(path: str, url: str) -> None:
    found = route(path, BACKENDS)
    assert found is not None
    assert found.url == url


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api//x",
        "/api/evil.example:80/x",
        "/api/user@host/x",
        "/api/Auth/x",
        "/api/-auth/x",
        "/api/auth-/x",
        "/api/%61uth/x",
        "/api/" + "a" * 80,
        "/api/auth/metrics",
        "/api/auth/metrics/x",
    ],
)
def test_a_name_that_is_no_service_and_internal_pages_lead_nowhere(path: str) -> None:
    assert route(path, BACKENDS) is None


def test_metrics_labels_do_not_grow_with_what_clients_ask() -> None:
    labels = {found.label for path in ("/api/a/x", "/api/b/y", "/z") if (found := route(path, BACKENDS))}
    assert labels == {"/api/{service}", "frontend"}


def test_headers_of_one_hop_stay_there_and_the_client_is_told_to_the_backend() -> None:
    given = [
        ("accept", "text/html"),
        ("connection", "close, x-trick"),
        ("host", "shop.example"),
        ("x-forwarded-for", "10.0.0.9"),
        ("x-trick", "1"),
        ("x-request-id", "forged"),
    ]
    assert outgoing(given, client="10.244.0.7", scheme="https", request_id="abc") == [
        ("accept", "text/html"),
        ("x-forwarded-for", "10.0.0.9, 10.244.0.7"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "abc"),
    ]


def test_answers_carry_security_headers_but_the_backend_may_say_better() -> None:
    given = [("content-type", "text/html"), ("x-frame-options", "SAMEORIGIN"), ("transfer-encoding", "chunked")]
    back = dict(returning(given, https=True, request_id="abc"))
    assert back["x-frame-options"] == "SAMEORIGIN"
    assert back["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" in back
    assert "transfer-encoding" not in back


def test_https_is_not_demanded_of_a_client_that_came_without_it() -> None:
    assert "strict-transport-security" not in dict(returning([], https=False, request_id="abc"))


def test_a_client_is_counted_by_the_address_its_last_proxy_saw_not_by_one_it_invents() -> None:
    assert client_address([("x-forwarded-for", "1.1.1.1, 203.0.113.9")], "10.0.0.1") == "203.0.113.9"
    assert client_address([("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")], "x") == "203.0.113.9"
    assert client_address([], "10.0.0.1") == "10.0.0.1"


@pytest.mark.parametrize(
    ("in_minute", "in_second", "decision"),
    [
        (100, 20, Decision(True)),
        (101, 1, Decision(False, 15)),
        (1, 21, Decision(False, 1)),
    ],
)
def test_a_limit_is_the_last_request_that_passes(in_minute: int, in_second: int, decision: Decision) -> None:
    assert judge(LIMITS, in_minute, in_second, now=600_045.7) == decision


def test_limits_are_off_unless_asked_for() -> None:
    assert read_limits({}).enabled is False
    assert read_limits({"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_BURST": "7"}) == Limits(True, 600, 7)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(BadEnvironment, match="RATE_LIMIT_BURST"):
        read_limits({"RATE_LIMIT_BURST": "0"})
