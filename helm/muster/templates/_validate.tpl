{{- /* What values.schema.json cannot say: values that contradict one another. Each refusal names value and remedy. */ -}}
{{- define "muster.validate" -}}
{{- $values := .Values }}

{{- if gt (int $values.replicaCount) 1 }}
{{- fail (printf "replicaCount is %d: the embedded store lies on one volume, and two servers on one store would both believe they own it. Use 1 (a bigger machine helps; several releases share nothing)." (int $values.replicaCount)) }}
{{- end }}
{{- if and (ne $values.durability "none") (not $values.persistence.enabled) }}
{{- fail (printf "persistence.enabled is false while durability is %s: the store would go with the pod. Set persistence.enabled=true, or durability=none if nothing need survive." $values.durability) }}
{{- end }}

{{- $owned := dict "grpc.listen" "listenAddress and ports.grpc" "grpc.plaintext_listen" "ports.probes" "admin.listen" "listenAddress and ports.admin" "insecure" "tls.enabled" "tls.cert" "tls.existingSecret" "tls.key" "tls.existingSecret" "tls.client_ca" "tls.clientCAKey" "durability" "durability" "store.dir" "persistence.folder" "drain.grace" "drain.graceSeconds" "ready_file" "probes" "clock" "nothing: it is for tests" }}
{{- range $key, $instead := $owned }}
{{- $at := $values.config }}
{{- $found := true }}
{{- range splitList "." $key }}
{{- if and $found (kindIs "map" $at) (hasKey $at .) }}{{ $at = get $at . }}{{ else }}{{ $found = false }}{{ end }}
{{- end }}
{{- if $found }}
{{- fail (printf "config.%s is set by the chart: use %s." $key $instead) }}
{{- end }}
{{- /* The same options by their other two names, which would win over the file. */ -}}
{{- $flag := printf "--%s" (regexReplaceAll "[._]" $key "-") }}
{{- range $values.extraArgs }}
{{- if or (eq (toString .) $flag) (hasPrefix (printf "%s=" $flag) (toString .)) }}
{{- fail (printf "extraArgs has %s, which is set by the chart: use %s." . $instead) }}
{{- end }}
{{- end }}
{{- $variable := printf "MUSTER_%s" (replace "." "_" $key | upper) }}
{{- range $values.extraEnv }}
{{- if eq (toString .name) $variable }}
{{- fail (printf "extraEnv has %s, which is set by the chart: use %s." $variable $instead) }}
{{- end }}
{{- end }}
{{- end }}

{{- if $values.tls.enabled }}
{{- if not $values.tls.existingSecret }}
{{- fail "tls.enabled needs tls.existingSecret: a Secret with tls.crt and tls.key, such as cert-manager makes." }}
{{- end }}
{{- /* Only a real cluster can be asked; `helm template` sees nothing. */ -}}
{{- if lookup "v1" "Namespace" "" .Release.Namespace }}
{{- $secret := lookup "v1" "Secret" .Release.Namespace $values.tls.existingSecret }}
{{- if not $secret }}
{{- fail (printf "tls.existingSecret: there is no Secret %q in namespace %q. Make it first: kubectl -n %s create secret tls %s --cert=FILE --key=FILE" $values.tls.existingSecret .Release.Namespace .Release.Namespace $values.tls.existingSecret) }}
{{- end }}
{{- range list $values.tls.certKey $values.tls.keyKey $values.tls.clientCAKey | compact }}
{{- if not (hasKey ($secret.data | default dict) .) }}
{{- fail (printf "tls.existingSecret: the Secret %q has no key %q." $values.tls.existingSecret .) }}
{{- end }}
{{- end }}
{{- end }}
{{- else if $values.tls.clientCAKey }}
{{- fail "tls.clientCAKey is set while tls.enabled is false: client certificates need TLS." }}
{{- end }}

{{- $needed := include "muster.drainSeconds" . | int }}
{{- $given := include "muster.terminationSeconds" . | int }}
{{- if lt $given $needed }}
{{- fail (printf "terminationGracePeriodSeconds is %d, but preStop, drain and flush take up to %d (drain.preStopSeconds %d + drain.graceSeconds %d + drain.flushSeconds %d): the server would be killed before it has flushed. Raise it, leave it out, or lower drain.graceSeconds." $given $needed (int $values.drain.preStopSeconds) (int $values.drain.graceSeconds) (int $values.drain.flushSeconds)) }}
{{- end }}

{{- $ports := list (int $values.ports.grpc) (int $values.ports.admin) (int $values.ports.probes) }}
{{- if ne (len ($ports | uniq)) 3 }}
{{- fail (printf "ports: grpc %d, admin %d and probes %d must be three different ports." (index $ports 0) (index $ports 1) (index $ports 2)) }}
{{- end }}

{{- $store := $values.config.store | default dict }}
{{- if and $values.persistence.enabled (ne $values.durability "none") (not $values.persistence.existingClaim) }}
{{- $size := include "muster.bytes" $values.persistence.size | int64 }}
{{- $free := include "muster.sizeBytes" ($store.free_bytes_min | default "256MiB") | int64 }}
{{- if lt $size (mul 2 $free) }}
{{- fail (printf "persistence.size is %s, less than twice config.store.free_bytes_min (%s): new futures would be refused with STORE_FULL almost at once. Give the volume more room." (toString $values.persistence.size) (toString ($store.free_bytes_min | default "256MiB"))) }}
{{- end }}
{{- if $store.bytes_max }}
{{- if gt (include "muster.sizeBytes" $store.bytes_max | int64) $size }}
{{- fail (printf "config.store.bytes_max is %s, more than persistence.size (%s)." (kindIs "float64" $store.bytes_max | ternary (int64 $store.bytes_max | toString) (toString $store.bytes_max)) (toString $values.persistence.size)) }}
{{- end }}
{{- end }}
{{- end }}

{{- $service := $values.service }}
{{- if eq $service.type "ClusterIP" }}
{{- range $key := list "nodePort" "externalTrafficPolicy" }}
{{- if get $service $key }}
{{- fail (printf "service.%s is %s while service.type is ClusterIP, which has none: set service.type to NodePort or LoadBalancer, or leave it out." $key (get $service $key | toString)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if ne $service.type "LoadBalancer" }}
{{- range $key := list "loadBalancerClass" "loadBalancerSourceRanges" }}
{{- if get $service $key }}
{{- fail (printf "service.%s is set while service.type is %s: only a LoadBalancer heeds it." $key $service.type) }}
{{- end }}
{{- end }}
{{- end }}

{{- if and $values.podDisruptionBudget.enabled (eq (toString $values.podDisruptionBudget.maxUnavailable) "0") }}
{{- fail "podDisruptionBudget.maxUnavailable is 0: with one server no node could ever be drained. Use 1." }}
{{- end }}
{{- if and $values.metrics.serviceMonitor.enabled $values.metrics.podMonitor.enabled }}
{{- fail "metrics.serviceMonitor and metrics.podMonitor are both enabled: every figure would be counted twice. Choose one." }}
{{- end }}
{{- end }}
