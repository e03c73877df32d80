// Command kubenode is a whole Kubernetes cluster in one static program.
//
// Which component it becomes is told by its first argument, or by the name it
// was started under (a symlink called "kubelet" is a kubelet). Only the chosen
// component is constructed: building a second one in the same process registers
// flags and signal handlers twice and panics.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// component runs to its end with os.Args already shifted, and returns the exit code.
type component func() int

var components = map[string]component{
	"etcd":                    runEtcd,
	"kube-apiserver":          runAPIServer,
	"kube-controller-manager": runControllerManager,
	"kube-scheduler":          runScheduler,
	"kube-proxy":              runProxy,
	"kubelet":                 runKubelet,
	"kubectl":                 runKubectl,
	"coredns":                 runCoreDNS,
	"metrics-server":          runMetricsServer,
	"volume-provisioner":      runVolumeProvisioner,
	"network-policy":          runNetworkPolicy,
	"simulated-metrics":       runSimulatedMetrics,
	"kwok":                    runKwok,
}

func main() {
	name := filepath.Base(os.Args[0])
	if components[name] == nil && len(os.Args) > 1 {
		name, os.Args = os.Args[1], os.Args[1:]
	}
	run, known := components[name]
	if !known {
		fmt.Fprintf(os.Stderr, "kubenode: unknown component %q; known: %s\n", name, strings.Join(names(), ", "))
		os.Exit(64)
	}
	os.Exit(run())
}

func names() []string {
	var all []string
	for name := range components {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}
