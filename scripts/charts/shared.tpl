{{- define "CHART.image" -}}
{{- with .Values.image -}}
{{- if .registry }}{{ .registry }}/{{ end }}{{ .repository }}:{{ .tag }}{{ if .digest }}@{{ .digest }}{{ end }}
{{- end }}
{{- end }}

{{- /* What finds the pods: never changed, for a StatefulSet's own selector cannot be. */}}
{{- define "CHART.selector" -}}
app.kubernetes.io/name: CHART
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "CHART.labels" -}}
{{ include "CHART.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: hikube-kafka
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* A Java properties file: JSON escapes as it does. */}}
{{- define "CHART.properties" -}}
{{- range $key, $value := .Values.config }}
{{ $key }}={{ $value | toRawJson | trimPrefix "\"" | trimSuffix "\"" }}
{{- end }}
{{- end }}

{{- /* The peers of a network policy. */}}
{{- define "CHART.clients" -}}
{{- range .Values.networkPolicy.clients }}
- podSelector:{{ if .labels }}
    matchLabels:
      {{- toYaml .labels | nindent 6 }}
{{- else }} {}{{ end }}
{{- if eq (.namespace | default "") "*" }}
  namespaceSelector: {}
{{- else if .namespace }}
  namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .namespace }}
{{- end }}
{{- end }}
{{- end }}

{{- /* One pod of the release per node, and the zones evenly used where there are any. */}}
{{- define "CHART.spread" -}}
{{- if gt (int .Values.replicas) 1 -}}
affinity:
  podAntiAffinity:
{{- if eq .Values.pods.antiAffinity "required" }}
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "CHART.selector" . | nindent 12 }}
{{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "CHART.selector" . | nindent 14 }}
{{- end }}
{{- end }}
topologySpreadConstraints:
  - topologyKey: topology.kubernetes.io/zone
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "CHART.selector" . | nindent 8 }}
{{- include "CHART.nodes" . }}
{{- end }}

{{- /* Which nodes will do. */}}
{{- define "CHART.nodes" -}}
{{- with .Values.pods.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pods.tolerations }}
tolerations:
{{- range . }}
  - operator: {{ .operator | default "Exists" }}
    {{- with .key }}
    key: {{ . }}
    {{- end }}
    {{- with .value }}
    value: {{ . | quote }}
    {{- end }}
    {{- with .effect }}
    effect: {{ . }}
    {{- end }}
{{- end }}
{{- end }}
{{- with .Values.pods.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- /* What the restricted Pod Security Standard asks of a pod. */}}
{{- define "CHART.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "CHART.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "CHART.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClass }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .size }}
{{- end }}
