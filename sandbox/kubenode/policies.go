package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"bakery-ia.dev/kubenode/policy"
)

const (
	// Changes come in bursts; a pod that waits this long for its rules loses one packet at most.
	policySettle = 50 * time.Millisecond
	policyRetry  = time.Second
)

// runNetworkPolicy keeps the node's nftables table in step with pods, namespaces and policies.
func runNetworkPolicy() int {
	flags := flag.NewFlagSet("network-policy", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "file that says how to reach the cluster")
	nft := flags.String("nft", "nft", "the nft program")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 64
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := enforce(ctx, *kubeconfig, *nft); err != nil {
		fmt.Fprintln(os.Stderr, "network-policy:", err)
		return 1
	}
	return 0
}

func enforce(ctx context.Context, kubeconfig, nft string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	changed := make(chan struct{}, 1)
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		notify(informer, changed)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	read := func() policy.World {
		everything := labels.Everything()
		world := policy.World{}
		world.Pods, _ = pods.Lister().List(everything)
		world.Namespaces, _ = namespaces.Lister().List(everything)
		world.Policies, _ = policies.Lister().List(everything)
		return world
	}
	keepApplied(ctx, nft, changed, read)
	return nil
}

// notify marks that something changed; heartbeats of pods that change no address, label or phase do not count.
func notify(informer cache.SharedIndexInformer, changed chan<- struct{}) {
	mark := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { mark() },
		DeleteFunc: func(any) { mark() },
		UpdateFunc: func(before, after any) {
			old, isPod := before.(*core.Pod)
			now, _ := after.(*core.Pod)
			if !isPod || old.Status.PodIP != now.Status.PodIP || old.Status.Phase != now.Status.Phase || !labels.Equals(old.Labels, now.Labels) {
				mark()
			}
		},
	})
}

func keepApplied(ctx context.Context, nft string, changed chan struct{}, read func() policy.World) {
	applied := ""
	for {
		if wanted := policy.Ruleset(read()); wanted != applied {
			if err := apply(ctx, nft, wanted); err == nil {
				applied = wanted
			} else {
				fmt.Fprintln(os.Stderr, "network-policy:", err)
				time.AfterFunc(policyRetry, func() {
					select {
					case changed <- struct{}{}:
					default:
					}
				})
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
			time.Sleep(policySettle)
		}
	}
}

func apply(ctx context.Context, nft, ruleset string) error {
	command := exec.CommandContext(ctx, nft, "-f", "-")
	command.Stdin = bytes.NewBufferString(ruleset)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, bytes.TrimSpace(output))
	}
	return nil
}
