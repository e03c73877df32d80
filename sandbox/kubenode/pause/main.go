// Command pause holds a pod's namespaces open: it does nothing until it is told to stop.
//
// It is a program of its own because one runs per pod, and kubenode's size would be paid ninety times.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}
