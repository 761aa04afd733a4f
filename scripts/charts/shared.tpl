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

{{- /* Before an upgrade that removes servers a Job asks those that stay whether it may; hooks/removal.sh says what it asks.
Rendered without a cluster, it finds out itself whether servers are removed. */}}
{{- define "CHART.removal" -}}
{{- $cluster := lookup "apps/v1" "StatefulSet" .Release.Namespace "" }}
{{- $there := dig "spec" "replicas" 0 (lookup "apps/v1" "StatefulSet" .Release.Namespace .Release.Name) | int }}
{{- if or (not $cluster) (gt $there (int .Values.replicas)) }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-removal
  labels:
    {{- include "CHART.labels" . | nindent 4 }}
  annotations:
    helm.sh/hook: pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
    helm.sh/hook-output-log-policy: hook-failed
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 120
  ttlSecondsAfterFinished: 3600
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {{ .Release.Name }}-removal
        app.kubernetes.io/part-of: hikube-kafka
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        {{- include "CHART.podSecurity" . | nindent 8 }}
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      {{- with include "CHART.nodes" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      containers:
        - name: removal
          image: {{ include "CHART.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          command:
            - bash
            - -c
            - |
              {{- .Files.Get "hooks/removal.sh" | trim | nindent 14 }}
          env:
            - name: NAMESPACE
              valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
            - {name: RELEASE, value: {{ .Release.Name }}}
            - {name: SERVERS, value: {{ .Values.replicas | quote }}}
            - {name: THERE, value: {{ $there | default "" | quote }}}
            - {name: PORT, value: {{ include "CHART.removalPort" . | quote }}}
          terminationMessagePolicy: FallbackToLogsOnError
          resources:
            requests: {cpu: 100m, memory: {{ include "CHART.removalMemory" . }}}
            limits: {cpu: "1", memory: {{ include "CHART.removalMemory" . }}}
          securityContext:
            {{- include "CHART.containerSecurity" . | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: 64Mi}
{{- if .Values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Release.Name }}-removal
  labels:
    {{- include "CHART.labels" . | nindent 4 }}
  annotations:
    helm.sh/hook: pre-upgrade
    helm.sh/hook-weight: "-1"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
spec:
  podSelector:
    matchLabels:
      {{- include "CHART.selector" . | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    - ports: [{port: {{ include "CHART.removalPort" . }}}]
      from:
        - podSelector:
            matchLabels:
              app.kubernetes.io/name: {{ .Release.Name }}-removal
{{- end }}
{{- end }}
{{- end }}
