package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	metrics "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

const (
	metricsRoot = "/apis/metrics.k8s.io/v1beta1"
	// A pod may say what it claims to use; without it, a fixed share of what it requests, so that autoscalers rest.
	annotationCPU    = "bakery-ia.dev/simulate-cpu"
	annotationMemory = "bakery-ia.dev/simulate-memory"
	shareOfRequest   = 0.3
	metricsWindow    = time.Second
)

// usage answers the metrics API for simulated nodes, at once and from requests: nothing runs there to be measured.
type usage struct {
	pods  listers.PodLister
	nodes listers.NodeLister
}

func runSimulatedMetrics() int {
	flags := flag.NewFlagSet("simulated-metrics", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "file that says how to reach the cluster")
	address := flags.String("address", "", "address and port to serve on")
	certificate := flags.String("certificate", "", "file of the serving certificate")
	key := flags.String("key", "", "file of its private key")
	authority := flags.String("client-authority", "", "file of the authority whose clients are let in")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 64
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serveMetrics(ctx, *kubeconfig, *address, *certificate, *key, *authority); err != nil {
		fmt.Fprintln(os.Stderr, "simulated-metrics:", err)
		return 1
	}
	return 0
}

func serveMetrics(ctx context.Context, kubeconfig, address, certificate, key, authority string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(authority)
	if err != nil {
		return err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", authority)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	u := &usage{pods: factory.Core().V1().Pods().Lister(), nodes: factory.Core().V1().Nodes().Lister()}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	server := &http.Server{
		Addr: address, Handler: u.routes(), ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12},
	}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServeTLS(certificate, key); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (u *usage) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+metricsRoot, func(w http.ResponseWriter, _ *http.Request) { answer(w, metricsResources()) })
	mux.HandleFunc("GET "+metricsRoot+"/nodes", func(w http.ResponseWriter, r *http.Request) { u.answerNodes(w, r, "") })
	mux.HandleFunc("GET "+metricsRoot+"/nodes/{name}", func(w http.ResponseWriter, r *http.Request) { u.answerNodes(w, r, r.PathValue("name")) })
	mux.HandleFunc("GET "+metricsRoot+"/pods", func(w http.ResponseWriter, r *http.Request) { u.answerPods(w, r, "") })
	mux.HandleFunc("GET "+metricsRoot+"/namespaces/{namespace}/pods", func(w http.ResponseWriter, r *http.Request) { u.answerPods(w, r, "") })
	mux.HandleFunc("GET "+metricsRoot+"/namespaces/{namespace}/pods/{name}", func(w http.ResponseWriter, r *http.Request) { u.answerPods(w, r, r.PathValue("name")) })
	return mux
}

func metricsResources() meta.APIResourceList {
	verbs := meta.Verbs{"get", "list"}
	return meta.APIResourceList{
		TypeMeta:     meta.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: metrics.SchemeGroupVersion.String(),
		APIResources: []meta.APIResource{
			{Name: "nodes", Kind: "NodeMetrics", Verbs: verbs},
			{Name: "pods", Kind: "PodMetrics", Namespaced: true, Verbs: verbs},
		},
	}
}

func (u *usage) answerPods(w http.ResponseWriter, r *http.Request, name string) {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	pods, err := u.pods.Pods(r.PathValue("namespace")).List(selector)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	list := metrics.PodMetricsList{TypeMeta: meta.TypeMeta{Kind: "PodMetricsList", APIVersion: metrics.SchemeGroupVersion.String()}}
	for _, pod := range pods {
		if pod.Status.Phase == core.PodRunning && (name == "" || pod.Name == name) {
			list.Items = append(list.Items, podMetrics(pod))
		}
	}
	if name == "" {
		answer(w, list)
	} else if len(list.Items) == 1 {
		answer(w, list.Items[0])
	} else {
		http.NotFound(w, r)
	}
}

func (u *usage) answerNodes(w http.ResponseWriter, r *http.Request, name string) {
	nodes, err := u.nodes.List(labels.Everything())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	pods, err := u.pods.List(labels.Everything())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	list := metrics.NodeMetricsList{TypeMeta: meta.TypeMeta{Kind: "NodeMetricsList", APIVersion: metrics.SchemeGroupVersion.String()}}
	for _, node := range nodes {
		if name == "" || node.Name == name {
			list.Items = append(list.Items, nodeMetrics(node, pods))
		}
	}
	if name == "" {
		answer(w, list)
	} else if len(list.Items) == 1 {
		answer(w, list.Items[0])
	} else {
		http.NotFound(w, r)
	}
}

func podMetrics(pod *core.Pod) metrics.PodMetrics {
	measured := metrics.PodMetrics{
		TypeMeta:   meta.TypeMeta{Kind: "PodMetrics", APIVersion: metrics.SchemeGroupVersion.String()},
		ObjectMeta: meta.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, Labels: pod.Labels, CreationTimestamp: meta.Now()},
		Timestamp:  meta.Now(), Window: meta.Duration{Duration: metricsWindow},
	}
	for _, container := range pod.Spec.Containers {
		measured.Containers = append(measured.Containers, metrics.ContainerMetrics{Name: container.Name, Usage: containerUsage(pod, container)})
	}
	return measured
}

// containerUsage divides what the annotations say among the containers; else it is a share of each one's request.
func containerUsage(pod *core.Pod, container core.Container) core.ResourceList {
	list := core.ResourceList{}
	for name, annotation := range map[core.ResourceName]string{core.ResourceCPU: annotationCPU, core.ResourceMemory: annotationMemory} {
		request := container.Resources.Requests[name]
		milli := int64(float64(request.MilliValue()) * shareOfRequest)
		if said, err := resource.ParseQuantity(pod.Annotations[annotation]); err == nil {
			milli = said.MilliValue() / int64(len(pod.Spec.Containers))
		}
		list[name] = *resource.NewMilliQuantity(milli, request.Format)
	}
	return list
}

func nodeMetrics(node *core.Node, pods []*core.Pod) metrics.NodeMetrics {
	sum := core.ResourceList{core.ResourceCPU: {}, core.ResourceMemory: {}}
	for _, pod := range pods {
		if pod.Spec.NodeName != node.Name || pod.Status.Phase != core.PodRunning {
			continue
		}
		for _, container := range pod.Spec.Containers {
			for name, quantity := range containerUsage(pod, container) {
				total := sum[name]
				total.Add(quantity)
				sum[name] = total
			}
		}
	}
	return metrics.NodeMetrics{
		TypeMeta:   meta.TypeMeta{Kind: "NodeMetrics", APIVersion: metrics.SchemeGroupVersion.String()},
		ObjectMeta: meta.ObjectMeta{Name: node.Name, Labels: node.Labels, CreationTimestamp: meta.Now()},
		Timestamp:  meta.Now(), Window: meta.Duration{Duration: metricsWindow}, Usage: sum,
	}
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		fmt.Fprintln(os.Stderr, "simulated-metrics:", strings.TrimSpace(err.Error()))
	}
}
