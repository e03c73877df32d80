from pathlib import Path

import pytest
from bakery_service import settings
from bakery_service.errors import BadEnvironment


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    credentials = tmp_path / "db"
    credentials.mkdir()
    (credentials / "username").write_text("auth\n")
    (credentials / "password").write_text("se cret\n")
    (tmp_path / "ca.crt").write_text("certificate")
    return {
        "SERVICE_NAME": "auth",
        "DB_HOST": "auth-db",
        "DB_NAME": "auth",
        "DB_CREDENTIALS_DIR": str(credentials),
        "CA_FILE": str(tmp_path / "ca.crt"),
    }


def test_an_environment_with_all_it_needs_is_read(environment: dict[str, str]) -> None:
    server, name = settings.database(environment)
    assert (server.host, server.port, name) == ("auth-db", 5432, "auth")
    assert server.login.read() == ("auth", "se cret")


@pytest.mark.parametrize("missing", ["DB_HOST", "DB_NAME", "DB_CREDENTIALS_DIR", "CA_FILE"])
def test_a_missing_variable_is_named(environment: dict[str, str], missing: str) -> None:
    del environment[missing]
    with pytest.raises(BadEnvironment, match=f"^{missing} is not set.$"):
        settings.database(environment)


def test_an_empty_variable_counts_as_missing(environment: dict[str, str]) -> None:
    with pytest.raises(BadEnvironment, match="DB_HOST is not set"):
        settings.database({**environment, "DB_HOST": " "})


def test_a_credentials_directory_without_a_password_is_refused_before_anything_is_contacted(
    environment: dict[str, str],
) -> None:
    (Path(environment["DB_CREDENTIALS_DIR"]) / "password").unlink()
    with pytest.raises(BadEnvironment, match="no readable file 'password'"):
        settings.database(environment)


def test_a_rotated_password_is_seen_by_the_next_connection(environment: dict[str, str]) -> None:
    server, _ = settings.database(environment)
    (Path(environment["DB_CREDENTIALS_DIR"]) / "password").write_text("new")
    assert server.login.read() == ("auth", "new")


@pytest.mark.parametrize("port", ["0", "-1", "five", "5432.0", "٣"])
def test_a_port_that_is_none_is_refused(environment: dict[str, str], port: str) -> None:
    with pytest.raises(BadEnvironment, match=r"DB_PORT is .*, which is not a whole number above zero"):
        settings.database({**environment, "DB_PORT": port})


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DEBUG", "maybe"), ("LOG_LEVEL", "LOUD"), ("SERVICE_NAME", "Auth"), ("SERVICE_NAME", "a/b")],
)
def test_a_malformed_setting_is_named_with_its_value(variable: str, value: str) -> None:
    with pytest.raises(BadEnvironment, match=f"{variable} is '{value}'"):
        settings.read_settings({"SERVICE_NAME": "auth", variable: value})


def test_settings_default_to_what_production_wants() -> None:
    chosen = settings.read_settings({"SERVICE_NAME": "demo-session"})
    assert (chosen.debug, chosen.log_level, chosen.port, chosen.metrics) == (False, "INFO", 8000, True)


def test_a_service_without_broker_credentials_has_no_broker() -> None:
    assert settings.rabbitmq({"RABBITMQ_HOST": "rabbitmq"}) is None
