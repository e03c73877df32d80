package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

const (
	provisionerName = "bakery-ia.dev/local-path"
	// Annotations of the external provisioning protocol (kubernetes-sigs/sig-storage-lib-external-provisioner).
	annotationProvisionedBy = "pv.kubernetes.io/provisioned-by"
	annotationSelectedNode  = "volume.kubernetes.io/selected-node"
	// Nodes that only exist in the API carry this one; their volumes exist in the API only, too.
	annotationSimulatedNode = "kwok.x-k8s.io/node"
	volumeWorkers           = 4
)

// provisioner gives every claim of a local-path class a directory once the scheduler has chosen the claim's node,
// and removes directory and volume when the claim is gone.
type provisioner struct {
	root    string
	client  kubernetes.Interface
	claims  listers.PersistentVolumeClaimLister
	volumes listers.PersistentVolumeLister
	classes cache.Indexer
	queue   workqueue.TypedRateLimitingInterface[string]
	events  record.EventRecorder
}

func runVolumeProvisioner() int {
	flags := flag.NewFlagSet("volume-provisioner", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "file that says how to reach the cluster")
	root := flags.String("root", "", "directory that holds the volumes of real nodes")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 64
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := provision(ctx, *kubeconfig, *root); err != nil {
		fmt.Fprintln(os.Stderr, "volume-provisioner:", err)
		return 1
	}
	return 0
}

func provision(ctx context.Context, kubeconfig, root string) error {
	if !filepath.IsAbs(root) {
		return fmt.Errorf("--root must be an absolute directory, not %q", root)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 100, 200
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcore.EventSinkImpl{Interface: client.CoreV1().Events("")})
	defer broadcaster.Shutdown()

	factory := informers.NewSharedInformerFactory(client, 10*time.Minute)
	p := &provisioner{
		root: root, client: client,
		claims:  factory.Core().V1().PersistentVolumeClaims().Lister(),
		volumes: factory.Core().V1().PersistentVolumes().Lister(),
		classes: factory.Storage().V1().StorageClasses().Informer().GetIndexer(),
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 30*time.Second)),
		events:  broadcaster.NewRecorder(scheme.Scheme, core.EventSource{Component: provisionerName}),
	}
	p.watch(factory.Core().V1().PersistentVolumeClaims().Informer(), "claim/")
	p.watch(factory.Core().V1().PersistentVolumes().Informer(), "volume/")
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for range volumeWorkers {
		go wait.UntilWithContext(ctx, p.work, time.Second)
	}
	<-ctx.Done()
	p.queue.ShutDown()
	return nil
}

func (p *provisioner) watch(informer cache.SharedIndexInformer, prefix string) {
	enqueue := func(object any) {
		if key, err := cache.MetaNamespaceKeyFunc(object); err == nil {
			p.queue.Add(prefix + key)
		}
	}
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, changed any) { enqueue(changed) },
	})
}

func (p *provisioner) work(ctx context.Context) {
	for {
		key, stopping := p.queue.Get()
		if stopping {
			return
		}
		if err := p.handle(ctx, key); err != nil {
			fmt.Fprintf(os.Stderr, "volume-provisioner: %s: %v\n", key, err)
			p.queue.AddRateLimited(key)
		} else {
			p.queue.Forget(key)
		}
		p.queue.Done(key)
	}
}

func (p *provisioner) handle(ctx context.Context, key string) error {
	kind, name, _ := strings.Cut(key, "/")
	if kind == "volume" {
		return ignoreMissing(p.reclaim(ctx, name))
	}
	namespace, claim, _ := strings.Cut(name, "/")
	return ignoreMissing(p.fulfil(ctx, namespace, claim))
}

func ignoreMissing(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// fulfil creates the volume a claim waits for, if it waits for one of ours and its node is chosen.
func (p *provisioner) fulfil(ctx context.Context, namespace, name string) error {
	claim, err := p.claims.PersistentVolumeClaims(namespace).Get(name)
	if err != nil {
		return err
	}
	if claim.Spec.VolumeName != "" || claim.Spec.StorageClassName == nil || claim.DeletionTimestamp != nil {
		return nil
	}
	class, ours := p.class(*claim.Spec.StorageClassName)
	node := claim.Annotations[annotationSelectedNode]
	if !ours || node == "" {
		return nil
	}
	volume := volumeFor(claim, class, node, p.root)
	simulated, err := p.isSimulated(ctx, node)
	if err != nil {
		return err
	}
	if !simulated {
		if err := makeDirectory(volume.Spec.HostPath.Path); err != nil {
			p.events.Event(claim, core.EventTypeWarning, "ProvisioningFailed", err.Error())
			return err
		}
	}
	_, err = p.client.CoreV1().PersistentVolumes().Create(ctx, volume, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err == nil {
		p.events.Eventf(claim, core.EventTypeNormal, "ProvisioningSucceeded", "Successfully provisioned volume %s", volume.Name)
	}
	return err
}

func (p *provisioner) isSimulated(ctx context.Context, node string) (bool, error) {
	found, err := p.client.CoreV1().Nodes().Get(ctx, node, meta.GetOptions{})
	if err != nil {
		return false, err
	}
	return found.Annotations[annotationSimulatedNode] != "", nil
}

// makeDirectory opens the directory to every user, as k3s' local-path does: the kubelet does not apply fsGroup to
// hostPath volumes, and containers here run as many different users.
func makeDirectory(path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	return os.Chmod(path, 0o777)
}

// reclaim removes a volume of ours whose claim is gone, contents first, so that a crash between leaves the volume
// to try again rather than contents nobody knows of.
func (p *provisioner) reclaim(ctx context.Context, name string) error {
	volume, err := p.volumes.Get(name)
	if err != nil {
		return err
	}
	if volume.Annotations[annotationProvisionedBy] != provisionerName || volume.Status.Phase != core.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != core.PersistentVolumeReclaimDelete || volume.Spec.HostPath == nil {
		return nil
	}
	path := filepath.Clean(volume.Spec.HostPath.Path)
	if filepath.Dir(path) != filepath.Clean(p.root) {
		return errors.New("refused to remove " + path + ": it is not directly below " + p.root)
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return p.client.CoreV1().PersistentVolumes().Delete(ctx, name, meta.DeleteOptions{})
}
