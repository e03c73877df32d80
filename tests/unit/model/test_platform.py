from bakery_ops.model.builder import build_graph
from bakery_ops.model.contract import Stage
from bakery_ops.model.documents import load
from bakery_ops.model.platform import platform

TEXT = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: redis, labels: &redis {app.kubernetes.io/name: redis, app.kubernetes.io/component: infrastructure}}
spec: {template: {metadata: {labels: *redis}, spec: {containers: [{name: redis, image: "redis:7"}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: orders-db, labels: &db {app.kubernetes.io/name: orders, app.kubernetes.io/component: database}}
spec: {template: {metadata: {labels: *db}, spec: {containers: [{name: db, image: "postgres:15"}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: orders-migration, labels: &job
  {app.kubernetes.io/name: orders, app.kubernetes.io/component: migration}}
spec:
  template:
    metadata: {labels: *job, annotations: {bakery-ia.dev/waits-for: db}}
    spec: {containers: [{name: m, image: "orders:1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders-service, labels: &app
  {app.kubernetes.io/name: orders, app.kubernetes.io/component: microservice}}
spec:
  template:
    metadata: {labels: *app, annotations: {bakery-ia.dev/waits-for: "migration, db, redis"}}
    spec:
      containers:
      - {name: app, image: "orders:1", resources: {requests: {cpu: 100m, memory: 256Mi}}}
      - {name: side, image: "side:1", resources: {limits: {cpu: 50m, memory: 64Mi}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: orders}
spec: {minReplicas: 1, maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: orders-service}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: seed-orders, labels: {app.kubernetes.io/component: seed-job}}
spec:
  template:
    metadata: {annotations: {bakery-ia.dev/waits-for: orders-service}}
    spec: {containers: [{name: seed, image: "orders:1"}]}
"""


def read(text=TEXT):
    return platform(build_graph(load(text, "render", namespace="n")))


def test_a_service_is_told_with_all_that_belongs_to_it():
    (orders,) = read().services
    assert (orders.name, orders.database, orders.migration, orders.seeds) == (
        "orders",
        "orders-db",
        "orders-migration",
        ("seed-orders",),
    )
    assert orders.workload.waits == ("redis", "orders-db", "orders-migration")
    assert orders.workload.image == "orders:1"
    assert orders.workload.scale == "1-3"
    assert (orders.workload.cpu, orders.workload.memory) == (150, 320 * 2**20)


def test_what_belongs_to_no_service_stands_apart_in_start_order():
    assert [(member.name, member.stage, member.scale) for member in read().others] == [
        ("redis", Stage.INFRASTRUCTURE, "1")
    ]


def test_replicas_of_zero_stay_zero():
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 0}\n"
    assert read(text).members["a"].scale == "0"
