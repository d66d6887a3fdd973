{{- /* musterd's configuration file, and the figures that follow from the values. */ -}}

{{- /* The chart's own part wins: what it sets has been refused in .Values.config by muster.validate. */ -}}
{{- define "muster.config" -}}
{{- $listen := .Values.listenAddress }}
{{- $ports := .Values.ports }}
{{- $grpc := dict "listen" (printf "%s:%d" $listen (int $ports.grpc)) }}
{{- $own := dict "grpc" $grpc "admin" (dict "listen" (printf "%s:%d" $listen (int $ports.admin))) }}
{{- /* For the admin port, which has no TLS; for gRPC too when tls.enabled is false. */ -}}
{{- $_ := set $own "insecure" true }}
{{- $_ := set $own "durability" .Values.durability }}
{{- $_ := set $own "log" (dict "format" "json") }}
{{- $_ := set $own "drain" (dict "grace" (printf "%ds" (int .Values.drain.graceSeconds))) }}
{{- if ne .Values.durability "none" }}
{{- $_ := set $own "store" (dict "dir" (printf "/var/lib/muster/%s" .Values.persistence.folder)) }}
{{- end }}
{{- if .Values.tls.enabled }}
{{- $_ := set $grpc "plaintext_listen" (printf "%s:%d" $listen (int $ports.probes)) }}
{{- $tls := dict "cert" "/etc/muster/tls/tls.crt" "key" "/etc/muster/tls/tls.key" }}
{{- if .Values.tls.clientCAKey }}{{ $_ := set $tls "client_ca" "/etc/muster/tls/ca.crt" }}{{ end }}
{{- $_ := set $own "tls" $tls }}
{{- end }}
{{- mergeOverwrite (dict "log" (dict "format" "json")) (deepCopy .Values.config) (omit $own "log") | toYaml }}
{{- end }}

{{- define "muster.probePort" -}}
{{- if .Values.tls.enabled }}{{ .Values.ports.probes }}{{ else }}{{ .Values.ports.grpc }}{{ end }}
{{- end }}

{{- define "muster.drainSeconds" -}}
{{- add .Values.drain.preStopSeconds .Values.drain.graceSeconds .Values.drain.flushSeconds }}
{{- end }}

{{- define "muster.terminationSeconds" -}}
{{- .Values.terminationGracePeriodSeconds | default (include "muster.drainSeconds" .) | int }}
{{- end }}

{{- /* Where Kubernetes can sleep for a container, it does; else musterd's own function does: there is no shell. With TLS
nobody in the container has a certificate to call that with, so an old Kubernetes sends SIGTERM at once. */ -}}
{{- define "muster.preStop" -}}
{{- if .Values.drain.preStopSeconds -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}
sleep:
  seconds: {{ .Values.drain.preStopSeconds }}
{{- else if not .Values.tls.enabled -}}
exec:
  command: [/usr/bin/muster, call, sleep, {{ .Values.drain.preStopSeconds | toString | quote }}]
{{- end }}
{{- end }}
{{- end }}

{{- /* A quantity of Kubernetes such as 8Gi or 500M in bytes. */ -}}
{{- define "muster.bytes" -}}
{{- $number := regexFind "^[0-9.]+" . | float64 }}
{{- $units := dict "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 }}
{{- mulf $number (get $units (regexFind "[a-zA-Z]+$" .) | default 1) | int64 }}
{{- end }}

{{- /* A size of musterd such as 10 GiB, 500mb or a number in bytes: a quantity but for a B, spaces, and letters of either case.
Numbers of a values file are floats, which toString writes as 1e+07. */ -}}
{{- define "muster.sizeBytes" -}}
{{- include "muster.bytes" (kindIs "float64" . | ternary (int64 . | toString) (toString .) | upper | nospace | trimSuffix "B" | replace "I" "i" | replace "K" "k" | replace "ki" "Ki") }}
{{- end }}
