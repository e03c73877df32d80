import copy
import json
import pickle
import traceback

import msgspec
import pytest

from bakery_ops.credentials.secret import MaskedMapping, SecretText, decoded, encoded
from bakery_ops.model.manifest import Manifest, ObjectRef

CANARY = "canary-7f3a"


def test_a_secret_shows_stars_however_it_is_printed():
    secret = SecretText(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret!r}", "%s" % secret, repr([secret])]  # noqa: UP031
    shown += [repr({"password": secret}), f"{(secret,)}"]
    assert all(CANARY not in text and "***" in text for text in shown)
    assert secret.reveal() == CANARY


@pytest.mark.parametrize("serialize", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode])
def test_a_secret_is_not_serialized_by_accident(serialize):
    with pytest.raises(TypeError) as caught:
        serialize(SecretText(CANARY))
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_the_data_of_a_secret_encodes_whole_and_prints_its_names_only():
    data = encoded({"password": SecretText(CANARY)})
    body = {"kind": "Secret", "data": data}
    manifest = Manifest(ObjectRef("", "Secret", "n", "s"), "v1", body, "generated")
    value = data["password"]
    for text in (repr(data), str(data), f"{body}", repr(manifest)):
        assert value not in text
        assert CANARY not in text
    assert repr(data) == "{'password': ***}"
    assert msgspec.json.decode(msgspec.json.encode(body))["data"]["password"] == value
    assert json.loads(json.dumps(body)) == body
    assert decoded(body)["password"] == SecretText(CANARY)
    assert isinstance(data, MaskedMapping)


@pytest.mark.parametrize("value", [5, "not base64!", "/w==", None, "aGk"])
def test_a_value_that_is_no_text_is_none_and_not_an_error(value):
    assert decoded({"data": {"key": value}}) == {"key": None}


def test_a_folded_base64_value_is_read_as_the_server_reads_it():
    folded = "Y2FuYXJ5\nLTdmM2E=\n"
    assert decoded({"data": {"key": folded}}) == {"key": SecretText(CANARY)}


def test_equal_secrets_are_equal_and_nothing_else_is():
    assert SecretText("a") == SecretText("a")
    assert SecretText("a") != SecretText("b")
    assert SecretText("a") != "a"
    assert len({SecretText("a"), SecretText("a")}) == 1
