package policy

import (
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func pod(namespace, app, address string) *core.Pod {
	return &core.Pod{
		ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: app, Labels: map[string]string{"app": app}},
		Spec:       core.PodSpec{Containers: []core.Container{{Ports: []core.ContainerPort{{Name: "sql", ContainerPort: 5432}}}}},
		Status:     core.PodStatus{PodIP: address, Phase: core.PodRunning},
	}
}

func app(name string) *meta.LabelSelector {
	return &meta.LabelSelector{MatchLabels: map[string]string{"app": name}}
}

func policy(own string, spec networking.NetworkPolicySpec) *networking.NetworkPolicy {
	spec.PodSelector = *app(own)
	if own == "" {
		spec.PodSelector = meta.LabelSelector{}
	}
	return &networking.NetworkPolicy{ObjectMeta: meta.ObjectMeta{Namespace: "shop"}, Spec: spec}
}

func tcp(port intstr.IntOrString) []networking.NetworkPolicyPort {
	return []networking.NetworkPolicyPort{{Port: &port}}
}

func world(policies ...*networking.NetworkPolicy) World {
	namespace := func(name string) *core.Namespace {
		return &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/metadata.name": name}}}
	}
	return World{
		Pods:       []*core.Pod{pod("shop", "db", "10.0.0.1"), pod("shop", "web", "10.0.0.2"), pod("system", "web", "10.0.0.3")},
		Namespaces: []*core.Namespace{namespace("shop"), namespace("system")},
		Policies:   policies,
	}
}

func expect(t *testing.T, ruleset string, wanted ...string) {
	t.Helper()
	for _, line := range wanted {
		if !strings.Contains(ruleset, line) {
			t.Errorf("missing %q in:\n%s", line, ruleset)
		}
	}
}

func TestNothingIsIsolatedWithoutAPolicy(t *testing.T) {
	if ruleset := Ruleset(world()); strings.Contains(ruleset, "elements") {
		t.Errorf("isolated: %s", ruleset)
	}
}

func TestDenyAllIsolatesThePodsOfItsNamespaceInBothDirections(t *testing.T) {
	both := []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress}
	ruleset := Ruleset(world(policy("", networking.NetworkPolicySpec{PolicyTypes: both})))
	if strings.Count(ruleset, "elements = { 10.0.0.1, 10.0.0.2 }") != 2 {
		t.Error(ruleset)
	}
}

func TestAPeerWithoutNamespaceSelectorIsOfThePolicysOwnNamespace(t *testing.T) {
	rule := networking.NetworkPolicyIngressRule{From: []networking.NetworkPolicyPeer{{PodSelector: app("web")}}, Ports: tcp(intstr.FromInt32(5432))}
	ruleset := Ruleset(world(policy("db", networking.NetworkPolicySpec{Ingress: []networking.NetworkPolicyIngressRule{rule}})))
	expect(t, ruleset, "elements = { 10.0.0.2 . 10.0.0.1 . tcp . 5432 }")
}

func TestNamespaceAndPodSelectorInOneItemMeanBoth(t *testing.T) {
	system := &meta.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "system"}}
	peer := networking.NetworkPolicyPeer{PodSelector: app("web"), NamespaceSelector: system}
	rule := networking.NetworkPolicyEgressRule{To: []networking.NetworkPolicyPeer{peer}}
	types := []networking.PolicyType{networking.PolicyTypeEgress}
	ruleset := Ruleset(world(policy("db", networking.NetworkPolicySpec{PolicyTypes: types, Egress: []networking.NetworkPolicyEgressRule{rule}})))
	expect(t, ruleset, "set egress_whole {\n    type ipv4_addr . ipv4_addr\n    elements = { 10.0.0.1 . 10.0.0.3 }")
}

func TestANamedPortIsTheOneTheServerGivesIt(t *testing.T) {
	rule := networking.NetworkPolicyIngressRule{From: []networking.NetworkPolicyPeer{{PodSelector: app("web")}}, Ports: tcp(intstr.FromString("sql"))}
	ruleset := Ruleset(world(policy("db", networking.NetworkPolicySpec{Ingress: []networking.NetworkPolicyIngressRule{rule}})))
	expect(t, ruleset, "10.0.0.2 . 10.0.0.1 . tcp . 5432")
}

func TestAnAddressBlockKeepsItsExceptions(t *testing.T) {
	block := &networking.IPBlock{CIDR: "0.0.0.0/0", Except: []string{"10.0.0.0/8", "192.168.0.0/16"}}
	rule := networking.NetworkPolicyEgressRule{To: []networking.NetworkPolicyPeer{{IPBlock: block}}, Ports: tcp(intstr.FromInt32(443))}
	types := []networking.PolicyType{networking.PolicyTypeEgress}
	ruleset := Ruleset(world(policy("db", networking.NetworkPolicySpec{PolicyTypes: types, Egress: []networking.NetworkPolicyEgressRule{rule}})))
	expect(t, ruleset, "ip saddr 10.0.0.1 ip daddr 0.0.0.0/0 ip daddr != { 10.0.0.0/8, 192.168.0.0/16 } tcp dport 443-443 return")
}

func TestARuleWithoutPeersAllowsEveryone(t *testing.T) {
	rule := networking.NetworkPolicyIngressRule{Ports: tcp(intstr.FromInt32(8000))}
	ruleset := Ruleset(world(policy("web", networking.NetworkPolicySpec{Ingress: []networking.NetworkPolicyIngressRule{rule}})))
	expect(t, ruleset, "ip daddr 10.0.0.2 tcp dport 8000-8000 return")
}

func TestFinishedAndHostNetworkPodsHaveNoRules(t *testing.T) {
	all := world(policy("", networking.NetworkPolicySpec{}))
	all.Pods[0].Status.Phase = core.PodSucceeded
	all.Pods[1].Spec.HostNetwork = true
	if ruleset := Ruleset(all); strings.Contains(ruleset, "elements") {
		t.Error(ruleset)
	}
}
