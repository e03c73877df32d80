// Package policy turns NetworkPolicies into one nftables table. It reads values and returns text; it touches nothing.
package policy

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Table is the name of the table everything is written to.
const Table = "bakery_policy"

// World is what the rules follow from.
type World struct {
	Pods       []*core.Pod
	Namespaces []*core.Namespace
	Policies   []*networking.NetworkPolicy
}

// direction collects what one of the two chains needs. Its own pods are the isolated ones, the others its peers.
type direction struct {
	isolated map[string]bool
	exact    map[string]bool
	whole    map[string]bool
	rules    map[string]bool
	egress   bool
}

func newDirection(egress bool) *direction {
	return &direction{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, egress}
}

// Ruleset answers the text for `nft -f -` that replaces the table in one transaction.
//
// Policies only add: a pod that a policy selects for a direction is isolated in it, and what any policy allows is
// allowed. Answers to allowed connections pass, and so does what the node itself sends (kubelet probes).
func Ruleset(world World) string {
	in, out := newDirection(false), newDirection(true)
	for _, policy := range world.Policies {
		own := world.selected(policy.Namespace, &policy.Spec.PodSelector)
		ingress, egress := directionsOf(policy)
		if ingress {
			in.isolate(own)
			for _, rule := range policy.Spec.Ingress {
				in.allow(world, policy.Namespace, own, rule.From, rule.Ports)
			}
		}
		if egress {
			out.isolate(own)
			for _, rule := range policy.Spec.Egress {
				out.allow(world, policy.Namespace, own, rule.To, rule.Ports)
			}
		}
	}
	return text(in, out)
}

func directionsOf(policy *networking.NetworkPolicy) (ingress, egress bool) {
	if len(policy.Spec.PolicyTypes) == 0 {
		return true, len(policy.Spec.Egress) > 0
	}
	for _, kind := range policy.Spec.PolicyTypes {
		ingress = ingress || kind == networking.PolicyTypeIngress
		egress = egress || kind == networking.PolicyTypeEgress
	}
	return ingress, egress
}

// selected answers the pods of a namespace that have an address of their own and match.
func (w World) selected(namespace string, selector *meta.LabelSelector) []*core.Pod {
	matches, err := meta.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil
	}
	var found []*core.Pod
	for _, pod := range w.Pods {
		if pod.Namespace == namespace && matches.Matches(labels.Set(pod.Labels)) && addressOf(pod) != "" {
			found = append(found, pod)
		}
	}
	return found
}

func (w World) peers(namespace string, peer networking.NetworkPolicyPeer) []*core.Pod {
	pods := peer.PodSelector
	if pods == nil {
		pods = &meta.LabelSelector{}
	}
	if peer.NamespaceSelector == nil {
		return w.selected(namespace, pods)
	}
	matches, err := meta.LabelSelectorAsSelector(peer.NamespaceSelector)
	if err != nil {
		return nil
	}
	var found []*core.Pod
	for _, candidate := range w.Namespaces {
		if matches.Matches(labels.Set(candidate.Labels)) {
			found = append(found, w.selected(candidate.Name, pods)...)
		}
	}
	return found
}

func addressOf(pod *core.Pod) string {
	ended := pod.Status.Phase == core.PodSucceeded || pod.Status.Phase == core.PodFailed
	address, err := netip.ParseAddr(pod.Status.PodIP)
	if pod.Spec.HostNetwork || ended || err != nil || !address.Is4() {
		return ""
	}
	return address.String()
}

func (d *direction) isolate(pods []*core.Pod) {
	for _, pod := range pods {
		d.isolated[addressOf(pod)] = true
	}
}

func (d *direction) allow(world World, namespace string, own []*core.Pod, peers []networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort) {
	if len(peers) == 0 {
		d.allowBlock(own, "", ports)
	}
	for _, peer := range peers {
		if peer.IPBlock != nil {
			d.allowBlock(own, d.block(*peer.IPBlock), ports)
			continue
		}
		others := world.peers(namespace, peer)
		for _, pod := range own {
			for _, other := range others {
				d.allowPair(pod, other, ports)
			}
		}
	}
}

// allowPair allows single ports by an exact element: thousands of them cost one lookup.
func (d *direction) allowPair(own, other *core.Pod, ports []networking.NetworkPolicyPort) {
	from, to, server := addressOf(other), addressOf(own), own
	if d.egress {
		from, to, server = to, from, other
	}
	if len(ports) == 0 {
		d.whole[from+" . "+to] = true
	}
	for _, port := range ports {
		protocol, low, high, known := resolve(port, server)
		switch {
		case !known:
		case low == high:
			d.exact[fmt.Sprintf("%s . %s . %s . %d", from, to, protocol, low)] = true
		default:
			d.rules[fmt.Sprintf("ip saddr %s ip daddr %s %s dport %d-%d", from, to, protocol, low, high)] = true
		}
	}
}

// allowBlock allows addresses that are not listed one by one; `block` is the match on the peer, "" for everyone.
func (d *direction) allowBlock(own []*core.Pod, block string, ports []networking.NetworkPolicyPort) {
	side := "daddr"
	if d.egress {
		side = "saddr"
	}
	for _, pod := range own {
		match := strings.TrimSpace(fmt.Sprintf("ip %s %s %s", side, addressOf(pod), block))
		if len(ports) == 0 {
			d.rules[match] = true
		}
		for _, port := range ports {
			if protocol, low, high, known := resolve(port, pod); known {
				d.rules[fmt.Sprintf("%s %s dport %d-%d", match, protocol, low, high)] = true
			}
		}
	}
}

func (d *direction) block(block networking.IPBlock) string {
	side := "saddr"
	if d.egress {
		side = "daddr"
	}
	match := fmt.Sprintf("ip %s %s", side, block.CIDR)
	if len(block.Except) > 0 {
		match += fmt.Sprintf(" ip %s != { %s }", side, strings.Join(block.Except, ", "))
	}
	return match
}

// resolve reads a port of a policy; a name means the port `server` gives it, and nothing where it gives none.
func resolve(port networking.NetworkPolicyPort, server *core.Pod) (protocol string, low, high int32, known bool) {
	kind := core.ProtocolTCP
	if port.Protocol != nil {
		kind = *port.Protocol
	}
	protocol = strings.ToLower(string(kind))
	if port.Port == nil {
		return protocol, 0, 65535, true
	}
	if port.Port.Type == intstr.Int {
		low, high = port.Port.IntVal, port.Port.IntVal
		if port.EndPort != nil {
			high = *port.EndPort
		}
		return protocol, low, high, true
	}
	for _, container := range server.Spec.Containers {
		for _, named := range container.Ports {
			if named.Name == port.Port.StrVal && (named.Protocol == kind || named.Protocol == "" && kind == core.ProtocolTCP) {
				return protocol, named.ContainerPort, named.ContainerPort, true
			}
		}
	}
	return protocol, 0, 0, false
}

func text(in, out *direction) string {
	var b strings.Builder
	// Adding before deleting makes the deletion work whether or not the table was there.
	fmt.Fprintf(&b, "add table ip %s\ndelete table ip %s\ntable ip %s {\n", Table, Table, Table)
	in.sets(&b, "ingress")
	out.sets(&b, "egress")
	in.chain(&b, "ingress")
	out.chain(&b, "egress")
	for _, hook := range []string{"forward", "input"} {
		fmt.Fprintf(&b, "  chain %s {\n    type filter hook %s priority filter - 5; policy accept;\n", hook, hook)
		b.WriteString("    ct state established,related accept\n    ip saddr @egress_isolated jump egress\n")
		if hook == "forward" {
			b.WriteString("    ip daddr @ingress_isolated jump ingress\n")
		}
		b.WriteString("  }\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func (d *direction) sets(b *strings.Builder, name string) {
	set(b, name+"_isolated", "ipv4_addr", d.isolated)
	set(b, name+"_exact", "ipv4_addr . ipv4_addr . inet_proto . inet_service", d.exact)
	set(b, name+"_whole", "ipv4_addr . ipv4_addr", d.whole)
}

func set(b *strings.Builder, name, kind string, elements map[string]bool) {
	fmt.Fprintf(b, "  set %s {\n    type %s\n", name, kind)
	if len(elements) > 0 {
		fmt.Fprintf(b, "    elements = { %s }\n", strings.Join(sorted(elements), ", "))
	}
	b.WriteString("  }\n")
}

func (d *direction) chain(b *strings.Builder, name string) {
	fmt.Fprintf(b, "  chain %s {\n", name)
	fmt.Fprintf(b, "    ip saddr . ip daddr . meta l4proto . th dport @%s_exact return\n", name)
	fmt.Fprintf(b, "    ip saddr . ip daddr @%s_whole return\n", name)
	for _, rule := range sorted(d.rules) {
		fmt.Fprintf(b, "    %s return\n", rule)
	}
	b.WriteString("    counter drop\n  }\n")
}

func sorted(set map[string]bool) []string {
	all := make([]string, 0, len(set))
	for one := range set {
		all = append(all, one)
	}
	sort.Strings(all)
	return all
}
