// strict reads rendered manifests as an API server of one Kubernetes version reads them with
// fieldValidation=Strict: each document goes into the typed structs of that version, and unknown fields, duplicate keys
// and wrong types are errors. Which version it is, the go.mod file decides that it is built with.
//
//	strict FOLDER
//
// reads each *.yaml below FOLDER. Prints one line `FILE: KIND NAME: PROBLEM` for each problem, and what it read on
// stderr. Exit code: 0 when all is well, 1 when something is wrong, 2 when it could not read.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	kubejson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// podCheck judges the pods of an object; the build with the pod security standards sets it.
var podCheck func(object runtime.Object) []string

func main() {
	if len(os.Args) != 2 || strings.HasPrefix(os.Args[1], "-") {
		fmt.Fprintln(os.Stderr, "usage: strict FOLDER")
		os.Exit(2)
	}
	files, err := filepath.Glob(filepath.Join(os.Args[1], "*.yaml"))
	if err != nil || len(files) == 0 {
		fmt.Fprintf(os.Stderr, "strict: no *.yaml in %s\n", os.Args[1])
		os.Exit(2)
	}
	decoder := newDecoder()
	objects, problems := 0, 0
	for _, path := range files {
		read, found, err := checkFile(decoder, path)
		if err != nil {
			fmt.Fprintf(os.Stderr, "strict: %v\n", err)
			os.Exit(2)
		}
		objects += read
		problems += len(found)
		for _, problem := range found {
			fmt.Printf("%s: %s\n", filepath.Base(path), strings.ReplaceAll(problem, "\n", " "))
		}
	}
	fmt.Fprintf(os.Stderr, "strict: %d files, %d objects, %d problems\n", len(files), objects, problems)
	if problems > 0 {
		os.Exit(1)
	}
}

// newDecoder knows the kinds that the chart makes, and a few that users put into extraObjects.
func newDecoder() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
		rbacv1.AddToScheme, monitoringv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return kubejson.NewSerializerWithOptions(kubejson.DefaultMetaFactory, scheme, scheme,
		kubejson.SerializerOptions{Yaml: true, Strict: true})
}

func checkFile(decoder runtime.Decoder, path string) (int, []string, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	objects := 0
	var problems []string
	seen := map[string]bool{}
	documents := kubeyaml.NewYAMLReader(bufio.NewReader(file))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, problems, nil
		}
		if err != nil {
			return objects, problems, fmt.Errorf("%s: %w", path, err)
		}
		if isEmpty(document) {
			continue
		}
		objects++
		object, _, err := decoder.Decode(document, nil, nil)
		name := describe(object, document)
		if err != nil {
			problems = append(problems, name+": "+err.Error())
		}
		if object == nil {
			continue
		}
		for _, problem := range checkMetadata(object) {
			problems = append(problems, name+": "+problem)
		}
		if seen[name] {
			problems = append(problems, name+": is there twice")
		}
		seen[name] = true
		if podCheck != nil {
			for _, problem := range podCheck(object) {
				problems = append(problems, name+": "+problem)
			}
		}
	}
}

// isEmpty says that a document holds comments alone, as a template does that rendered nothing.
func isEmpty(document []byte) bool {
	for _, line := range strings.Split(string(document), "\n") {
		line = strings.TrimSpace(line)
		if line != "" && line != "---" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}

// describe names an object by kind, namespace and name; one that did not decode by its first line.
func describe(object runtime.Object, document []byte) string {
	if object == nil {
		return fmt.Sprintf("%q", strings.SplitN(strings.TrimSpace(string(document)), "\n", 2)[0])
	}
	kind := object.GetObjectKind().GroupVersionKind().Kind
	if accessor, err := meta.Accessor(object); err == nil {
		return fmt.Sprintf("%s %s/%s", kind, accessor.GetNamespace(), accessor.GetName())
	}
	return kind
}

// checkMetadata applies the rules for names, labels and annotations, which are not in the types.
func checkMetadata(object runtime.Object) []string {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	if accessor.GetName() == "" {
		problems = append(problems, "metadata.name is empty")
	} else if _, isService := object.(*corev1.Service); isService {
		problems = append(problems, validation.IsDNS1035Label(accessor.GetName())...)
	} else if _, isRule := object.(*rbacv1.ClusterRole); !isRule {
		problems = append(problems, validation.IsDNS1123Subdomain(accessor.GetName())...)
	}
	problems = append(problems, checkLabels("metadata.labels", accessor.GetLabels())...)
	for key := range accessor.GetAnnotations() {
		for _, problem := range validation.IsQualifiedName(strings.ToLower(key)) {
			problems = append(problems, fmt.Sprintf("metadata.annotations: %q: %s", key, problem))
		}
	}
	if set, isSet := object.(*appsv1.StatefulSet); isSet {
		problems = append(problems, checkStatefulSet(set)...)
	}
	return problems
}

func checkLabels(where string, labels map[string]string) []string {
	var problems []string
	for key, value := range labels {
		for _, problem := range append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...) {
			problems = append(problems, fmt.Sprintf("%s: %s=%q: %s", where, key, value, problem))
		}
	}
	return problems
}

// checkStatefulSet checks what the API server refuses about a StatefulSet beyond its types: labels of the pods, a
// selector that does not match them, mounts of volumes that are not there, and names that are there twice.
func checkStatefulSet(set *appsv1.StatefulSet) []string {
	template := set.Spec.Template
	problems := checkLabels("template.metadata.labels", template.Labels)
	for key, value := range set.Spec.Selector.MatchLabels {
		if template.Labels[key] != value {
			problems = append(problems, fmt.Sprintf("selector: %s=%s is no label of the pods", key, value))
		}
	}
	volumes := map[string]bool{}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		volumes[claim.Name] = true
	}
	for _, volume := range template.Spec.Volumes {
		if volumes[volume.Name] {
			problems = append(problems, "volumes: "+volume.Name+" is there twice")
		}
		volumes[volume.Name] = true
	}
	for _, container := range append(template.Spec.InitContainers, template.Spec.Containers...) {
		paths := map[string]bool{}
		for _, mount := range container.VolumeMounts {
			if !volumes[mount.Name] {
				problems = append(problems, fmt.Sprintf("%s mounts %s, which is no volume", container.Name, mount.Name))
			}
			if paths[mount.MountPath] {
				problems = append(problems, fmt.Sprintf("%s mounts two volumes at %s", container.Name, mount.MountPath))
			}
			paths[mount.MountPath] = true
		}
		ports := map[string]bool{}
		for _, port := range container.Ports {
			for _, problem := range validation.IsValidPortName(port.Name) {
				problems = append(problems, fmt.Sprintf("port %q: %s", port.Name, problem))
			}
			number := fmt.Sprintf("%d/%s", port.ContainerPort, port.Protocol)
			if ports[port.Name] || ports[number] {
				problems = append(problems, fmt.Sprintf("%s: port %s %s is there twice", container.Name, port.Name, number))
			}
			ports[port.Name], ports[number] = true, true
		}
	}
	return problems
}
