"""Many streams at once."""

from __future__ import annotations

import threading

from bakery_ops.cluster.mirror import EVENT_SELECTOR, ApiMirror
from bakery_ops.cluster.streams import Settings
from tests.unit.cluster.scripted import Client, Say, ScriptedServer, Watch, added, bookmark
from tests.unit.cluster.test_reflector import Collected

READY = Watch((bookmark("9", initial_end=True),), "hold")
KINDS = {"Pod": "pods", "Event": "events"}


def mirror(client: Client) -> ApiMirror:
    return ApiMirror(client.transport, client.discovery, client.lag, settings=Settings(read=30.0))


def test_every_kind_is_one_request_and_one_thread_and_stop_leaves_none(
    server: ScriptedServer, live_client: Client
) -> None:
    for plural in KINDS.values():
        server.expect("GET", f"/api/v1/namespaces/shop/{plural}", READY)
    before, got, streams = threading.active_count(), Collected(), mirror(live_client)
    streams.start(list(KINDS), "shop", got)
    got.wait_until(lambda words: words.count("Synced") == 2)
    streams.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("watch-")]
    assert (live_client.transport.requests, before > 0) == ({"watch": 2}, True)
    assert got.words == ["Synced", "Synced"]


def test_the_event_stream_leaves_out_the_chatter_of_healthy_starts(server: ScriptedServer, live_client: Client) -> None:
    server.expect("GET", "/api/v1/namespaces/shop/events", READY)
    streams = mirror(live_client)
    streams.start(["Event"], "shop", Collected())
    assert server.wait_for(1)[0].query["fieldSelector"] == EVENT_SELECTOR
    assert "reason!=Scheduled" in EVENT_SELECTOR
    assert "Pulled" not in EVENT_SELECTOR
    streams.stop()


def test_a_custom_kind_is_found_by_discovery_and_an_unserved_one_is_synced_empty(
    server: ScriptedServer, live_client: Client
) -> None:
    resource = {"resource": "ovens", "responseKind": {"kind": "Oven"}, "scope": "Namespaced"}
    group = {"metadata": {"name": "bakery.example"}, "versions": [{"version": "v1", "resources": [resource]}]}
    server.always("GET", "/apis", Say(200, {"kind": "APIGroupDiscoveryList", "items": [group]}))
    server.expect("GET", "/apis/bakery.example/v1/namespaces/shop/ovens", Watch((added("o", "3"),), "hold"))
    got, streams = Collected(), mirror(live_client)
    streams.start(["Mixer.bakery.example", "Oven.bakery.example"], "shop", got)
    got.wait_for("Synced", "+o@3")
    streams.stop()


def test_cluster_scoped_kinds_and_all_namespaces_have_no_namespace_in_their_path(
    server: ScriptedServer, live_client: Client
) -> None:
    server.expect("GET", "/api/v1/nodes", READY)
    server.expect("GET", "/api/v1/pods", READY)
    first, second = mirror(live_client), mirror(live_client)
    first.start(["Node"], "shop", Collected())
    second.start(["Pod"], "", Collected())
    server.wait_for(2)
    first.stop()
    second.stop()


def test_a_refresh_lists_every_kind_anew_and_each_is_synced_once_more(
    server: ScriptedServer, live_client: Client
) -> None:
    for plural in KINDS.values():
        server.expect("GET", f"/api/v1/namespaces/shop/{plural}", READY, READY)
    server.always("GET", "/apis", Say(200, {"kind": "APIGroupDiscoveryList", "items": []}))
    got, streams = Collected(), mirror(live_client)
    streams.start([*KINDS, "Mixer.bakery.example"], "shop", got)
    got.wait_until(lambda words: words.count("Synced") == 3)
    streams.refresh()
    got.wait_until(lambda words: words.count("Synced") == 6)
    assert "StreamLost" not in got.words
    streams.stop()
