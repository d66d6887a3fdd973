//go:build podsecurity

package main

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// Pods are judged by the standard "restricted" as these versions know it; latest is what the module knows.
var standards = []api.LevelVersion{
	{Level: api.LevelRestricted, Version: api.MajorMinorVersion(1, 27)},
	{Level: api.LevelRestricted, Version: api.LatestVersion()},
}

func init() {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		panic(err)
	}
	podCheck = func(object runtime.Object) []string {
		metadata, spec := podOf(object)
		if spec == nil {
			return nil
		}
		var problems []string
		for _, standard := range standards {
			verdict := policy.AggregateCheckResults(evaluator.EvaluatePod(standard, metadata, spec))
			if !verdict.Allowed {
				problems = append(problems,
					fmt.Sprintf("pod security %s: %s", standard.String(), verdict.ForbiddenDetail()))
			}
		}
		return problems
	}
}

func podOf(object runtime.Object) (*metav1.ObjectMeta, *corev1.PodSpec) {
	switch typed := object.(type) {
	case *corev1.Pod:
		return &typed.ObjectMeta, &typed.Spec
	case *appsv1.StatefulSet:
		return &typed.Spec.Template.ObjectMeta, &typed.Spec.Template.Spec
	case *appsv1.Deployment:
		return &typed.Spec.Template.ObjectMeta, &typed.Spec.Template.Spec
	case *batchv1.Job:
		return &typed.Spec.Template.ObjectMeta, &typed.Spec.Template.Spec
	}
	return nil, nil
}
