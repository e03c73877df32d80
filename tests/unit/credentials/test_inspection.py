"""Every way a certificate or a password can be wrong, made for real and named."""

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bakery_ops.credentials import certificates
from bakery_ops.credentials.inspection import expiry, remarks
from bakery_ops.credentials.secret import SecretText
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.secrets import Purpose, SecretSpec

NOW = 1_800_000_000.0
DAY = 86400
HOSTS = ("redis", "redis.shop", "redis.shop.svc", "redis.shop.svc.cluster.local", "localhost")
SPEC = SecretSpec(ObjectRef("", "Secret", "shop", "redis-tls"), Purpose.CERTIFICATE, "redis", HOSTS)
AUTHORITY = certificates.authority("shop", NOW)
TRUSTED = {"ca.crt": AUTHORITY.certificate}


def told(held, spec=SPEC, trusted=TRUSTED, now=NOW):
    return [remark.text for remark in remarks(spec, held, trusted, now)]


def secret(pair, authority=AUTHORITY):
    return {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate}


def parsed(pair):
    return x509.load_pem_x509_certificate(pair.certificate.reveal().encode())


def test_what_we_issue_is_right_in_every_respect():
    pair = certificates.leaf(AUTHORITY, HOSTS, NOW)
    assert told(secret(pair)) == []
    certificate = parsed(pair)
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert certificate.not_valid_before_utc == datetime.fromtimestamp(NOW, UTC) - timedelta(minutes=5)
    assert expiry(secret(pair)) == NOW + 90 * DAY
    assert parsed(AUTHORITY).not_valid_after_utc == datetime.fromtimestamp(NOW, UTC) + timedelta(days=3650)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_the_standard_verifier_accepts_what_we_issue():
    from cryptography.x509.verification import PolicyBuilder, Store

    leaf = parsed(certificates.leaf(AUTHORITY, HOSTS, NOW))
    builder = PolicyBuilder().store(Store([parsed(AUTHORITY)])).time(datetime.fromtimestamp(NOW, UTC))
    for host in HOSTS:
        assert builder.build_server_verifier(x509.DNSName(host)).verify(leaf, [])


def test_age_is_judged_by_the_clusters_clock():
    held = secret(certificates.leaf(AUTHORITY, HOSTS, NOW))
    assert told(held, now=NOW + 91 * DAY)[0].startswith("expired on ")
    assert told(held, now=NOW - DAY)[0].startswith("is valid only from ")
    assert told(held, now=NOW + 80 * DAY)[0].startswith("expires in 10 days")
    assert not remarks(SPEC, held, TRUSTED, NOW + 80 * DAY)[0].serious


def test_a_missing_name_is_listed():
    held = secret(certificates.leaf(AUTHORITY, HOSTS[:2], NOW))
    assert told(held) == ["is not for redis.shop.svc, redis.shop.svc.cluster.local, localhost"]


def test_a_wildcard_covers_one_level():
    spec = SPEC._replace(hosts=("shop.example.com",))
    assert told(secret(certificates.leaf(AUTHORITY, ["*.example.com"], NOW)), spec) == []


def test_a_key_of_another_certificate_is_named():
    one, other = (certificates.leaf(AUTHORITY, HOSTS, NOW) for _ in range(2))
    assert told({**secret(one), "tls.key": other.key}) == ["tls.key does not belong to tls.crt"]


def test_another_authority_is_not_trusted():
    stranger = certificates.authority("shop", NOW)
    held = secret(certificates.leaf(stranger, HOSTS, NOW), stranger)
    assert told(held) == ["is not signed by the authority that clients trust (bakery-ca)"]
    bundle = SecretText(AUTHORITY.certificate.reveal() + stranger.certificate.reveal())
    assert told(held, trusted={"ca.crt": bundle}) == []


def issue(key, *, authority=False, usage=ExtendedKeyUsageOID.SERVER_AUTH, names=True, issuer=None):
    """A certificate as somebody else's tool could have made it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    signer = serialization.load_pem_private_key((issuer or AUTHORITY).key.reveal().encode(), None)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parsed(issuer or AUTHORITY).subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.fromtimestamp(NOW, UTC) - timedelta(days=1))
        .not_valid_after(datetime.fromtimestamp(NOW, UTC) + timedelta(days=60))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    if names:
        hosts = [*(x509.DNSName(host) for host in HOSTS), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificates.Pair(
        SecretText(certificate.public_bytes(serialization.Encoding.PEM).decode()), SecretText(encoded.decode())
    )


KEY = ec.generate_private_key(ec.SECP256R1())


def test_a_common_name_alone_is_not_enough():
    assert told(secret(issue(KEY, names=False)))[0].startswith("has no subject alternative names; it needs redis")


def test_wrong_kinds_of_certificate_are_named():
    assert told(secret(issue(KEY, usage=ExtendedKeyUsageOID.CLIENT_AUTH))) == [
        "is not meant for servers (extended key usage)"
    ]
    assert "is an authority's certificate, not a server's (CA:TRUE)" in told(secret(issue(KEY, authority=True)))
    leaf = certificates.leaf(AUTHORITY, HOSTS, NOW)
    trust = SecretSpec(SPEC.ref, Purpose.TRUST, "shop")
    assert told({"ca.crt": leaf.certificate}, trust) == ["ca.crt is not a certificate of an authority (CA:FALSE)"]
    below = issue(KEY, issuer=leaf)
    assert "is signed by a certificate that is no authority (CA:FALSE)" in told(
        secret(below), trusted={"ca.crt": leaf.certificate}
    )


def test_a_short_rsa_key_is_named():
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - what is to be refused
    assert told(secret(issue(short))) == ["has an RSA key of 1024 bits; 2048 is the least"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"tls.crt": SecretText("nonsense")}, "tls.crt is not a PEM certificate"),
        ({"tls.key": SecretText("nonsense")}, "tls.key is not a private key without a passphrase"),
        ({"tls.key": None}, "tls.key is not base64 of a text"),
        ({"tls.crt": SecretText(" \n")}, "tls.crt is empty"),
    ],
)
def test_unreadable_parts_are_named_by_key(change, expected):
    assert told({**secret(certificates.leaf(AUTHORITY, HOSTS, NOW)), **change}) == [expected]


LOGIN = SecretSpec(ObjectRef("", "Secret", "shop", "auth-db-credentials"), Purpose.DATABASE, "auth")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "password is empty"),
        ("  ", "password is empty"),
        ("long-enough-and-quite-random\n", "password begins or ends with a space or a line break"),
        ("changeme", "password is a well-known password"),
        ("GUEST", "password is a well-known password"),
        ("short", "password is shorter than 24 characters"),
    ],
)
def test_weak_passwords_are_named_by_key_and_never_quoted(value, expected):
    held = {"username": SecretText("auth"), "password": SecretText(value), "postgres-password": SecretText("x" * 32)}
    (text,) = told(held, LOGIN)
    assert text.startswith(expected)
    assert "random" not in text


def test_every_missing_key_is_named_at_once():
    assert told({}, LOGIN) == ["key username is missing", "key password is missing", "key postgres-password is missing"]
