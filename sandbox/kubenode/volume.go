package main

import (
	"path/filepath"

	core "k8s.io/api/core/v1"
	storage "k8s.io/api/storage/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// class answers the named StorageClass, if this provisioner serves it.
func (p *provisioner) class(name string) (*storage.StorageClass, bool) {
	object, exists, err := p.classes.GetByKey(name)
	if err != nil || !exists {
		return nil, false
	}
	class, ok := object.(*storage.StorageClass)
	return class, ok && class.Provisioner == provisionerName
}

// volumeFor describes the volume of a claim on a node; its name follows from the claim's uid, so that doing it
// twice cannot make two.
func volumeFor(claim *core.PersistentVolumeClaim, class *storage.StorageClass, node, root string) *core.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	reclaim := core.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		reclaim = *class.ReclaimPolicy
	}
	return &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: name, Annotations: map[string]string{annotationProvisionedBy: provisionerName}},
		Spec: core.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      core.ResourceList{core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage]},
			PersistentVolumeReclaimPolicy: reclaim,
			StorageClassName:              class.Name,
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &core.ObjectReference{
				Kind: "PersistentVolumeClaim", APIVersion: "v1", UID: claim.UID,
				Namespace: claim.Namespace, Name: claim.Name, ResourceVersion: claim.ResourceVersion,
			},
			PersistentVolumeSource: core.PersistentVolumeSource{
				HostPath: &core.HostPathVolumeSource{Path: filepath.Join(root, name+"_"+claim.Namespace+"_"+claim.Name)},
			},
			NodeAffinity: onNode(node),
		},
	}
}

func onNode(node string) *core.VolumeNodeAffinity {
	requirement := core.NodeSelectorRequirement{Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{node}}
	return &core.VolumeNodeAffinity{Required: &core.NodeSelector{
		NodeSelectorTerms: []core.NodeSelectorTerm{{MatchExpressions: []core.NodeSelectorRequirement{requirement}}},
	}}
}
