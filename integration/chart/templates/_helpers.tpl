{{- define "remit.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains "remit" .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-remit" (.Release.Name | trunc 46 | trimSuffix "-") }}
{{- end -}}
{{- end -}}

{{- define "remit.selector" -}}
app.kubernetes.io/name: remit
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "remit.labels" -}}
{{ include "remit.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "remit.image" -}}
{{ .Values.image.repository }}{{ with .Values.image.tag }}:{{ . }}{{ end }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{- define "remit.tls" -}}
cert_file: /etc/remit/tls/tls.crt
key_file: /etc/remit/tls/tls.key
client_ca_file: /etc/remit/tls/ca.crt
client_names: {{ toJson .Values.tls.clientNames }}
min_version: {{ .Values.tls.minVersion | quote }}
{{- end -}}

{{/* Where the policy comes from, in the words of remit.yaml. */}}
{{- define "remit.bundle" -}}
{{- with get .Values.policy "configMap" -}}
tarball: /etc/remit/policy/{{ .key }}
{{- end -}}
{{- with get .Values.policy "git" -}}
git:
  url: {{ .url | quote }}
  ref: {{ .ref | quote }}
  {{- with get . "folder" }}
  folder: {{ . | quote }}
  {{- end }}
  {{- with get . "credentialsSecret" }}
  credentials_file: /etc/remit/git/{{ .key }}
  {{- end }}
  {{- with get . "caFile" }}
  ca_file: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with get .Values.policy "poll" }}
poll: {{ . }}
{{- end -}}
{{- end -}}

{{/* remit.yaml: what the chart decides, over what the values say. */}}
{{- define "remit.config" -}}
{{- $tls := include "remit.tls" . | fromYaml -}}
{{- $policy := dict "bundle" (include "remit.bundle" . | fromYaml) -}}
{{- $state := dict "dir" "/var/lib/remit/data" -}}
{{- $shutdown := dict "pause" (printf "%vs" .Values.shutdown.pauseSeconds) "drain" (printf "%vs" .Values.shutdown.drainSeconds) -}}
{{- $fixed := dict
  "listeners" (list (merge (dict "address" "0.0.0.0:9191" "tls" $tls) (deepCopy .Values.listener)))
  "policy" $policy
  "state" $state
  "operators" (dict "address" "unix:/run/remit/operators.sock")
  "health" (dict "address" "0.0.0.0:8282")
  "shutdown" $shutdown
-}}
{{- if .Values.outcomes.enabled -}}
{{- $connections := get .Values.outcomes "connections" | default dict -}}
{{- $_ := set $fixed "outcomes" (dict "address" "0.0.0.0:9192" "tls" $tls "connections" $connections) -}}
{{- end -}}
{{ toYaml (merge $fixed (deepCopy .Values.config)) }}
{{- end -}}
