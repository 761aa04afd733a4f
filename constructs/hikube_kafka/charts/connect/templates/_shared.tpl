{{- /* Written by scripts/charts/regenerate.py from scripts/charts/shared.tpl: change it there. */}}
{{- define "connect.image" -}}
{{- with .Values.image -}}
{{- if .registry }}{{ .registry }}/{{ end }}{{ .repository }}:{{ .tag }}{{ if .digest }}@{{ .digest }}{{ end }}
{{- end }}
{{- end }}

{{- /* What finds the pods: never changed, for a StatefulSet's own selector cannot be. */}}
{{- define "connect.selector" -}}
app.kubernetes.io/name: connect
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "connect.labels" -}}
{{ include "connect.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: hikube-kafka
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* A Java properties file: JSON escapes as it does. */}}
{{- define "connect.properties" -}}
{{- range $key, $value := .Values.config }}
{{ $key }}={{ $value | toRawJson | trimPrefix "\"" | trimSuffix "\"" }}
{{- end }}
{{- end }}

{{- /* Pods of the smoke tests in the release's namespace, whoever else may connect. */}}
{{- define "connect.smoke" -}}
- podSelector:
    matchLabels:
      hikube.kafka/smoke: "true"
{{- end }}

{{- /* The peers of a network policy. */}}
{{- define "connect.clients" -}}
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
      kubernetes.io/metadata.name: {{ .namespace | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* A quantity of Kubernetes as a number. */}}
{{- define "connect.number" -}}
{{- $text := trimPrefix "+" . -}}
{{- if regexMatch "[eE][+-]?[0-9]+$" $text -}}
{{- float64 $text -}}
{{- else -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- $number := trimSuffix $unit $text | float64 -}}
{{- $small := dict "n" 1e-9 "u" 1e-6 "m" 1e-3 "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 -}}
{{- $large := dict "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- mulf $number (get (merge $small $large) $unit) -}}
{{- end -}}
{{- end }}

{{- /* Ends the rendering with everything that the values' schema cannot say, one problem in each line. */}}
{{- define "connect.check" -}}
{{- $problems := printf "%s%s" (include "connect.problems" .) (include "connect.ownProblems" .) | trim -}}
{{- if $problems -}}
{{- printf "these values cannot be:\n%s" $problems | fail -}}
{{- end -}}
{{- end }}

{{- define "connect.problems" -}}
{{- if or (gt (len .Release.Name) 52) (not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" .Release.Name)) }}
- release name {{ .Release.Name | quote }}: services, pods and their host names are called after it, so it may have at most 52 characters, lower-case letters, digits and "-", and begins with a letter. Install the chart under another name: helm install NAME ...
{{- end }}
{{- $memory := include "connect.number" .Values.resources.memory | float64 }}
{{- $heap := printf "%si" (upper .Values.heap) | include "connect.number" | float64 }}
{{- $least := include "connect.number" "256Mi" | float64 }}
{{- $free := include "connect.number" "384Mi" | float64 }}
{{- if lt $heap $least }}
- heap: {{ .Values.heap }} is too little, a server needs 256Mi of heap or more. Give heap={{ divf $least 1048576 | int64 }}m or more.
{{- end }}
{{- if gt (addf $heap $free) $memory }}
{{- $largest := divf (subf $memory $free) 1048576 | floor | int64 }}
- heap: {{ .Values.heap }} does not fit into resources.memory {{ .Values.resources.memory }}, of which 384Mi must stay free for what a JVM needs besides its heap. Give {{ if ge (mulf $largest 1048576) $least }}heap={{ $largest }}m at most, or {{ end }}resources.memory={{ divf (addf (max $heap $least) $free) 1048576 | ceil | int64 }}Mi or more.
{{- end }}
{{- if lt (include "connect.number" .Values.resources.cpu | float64) 0.001 }}
- resources.cpu: {{ .Values.resources.cpu }} is no processor at all, or less than Kubernetes counts. Give 1m or more, such as 500m or 2.
{{- end }}
{{- range $name, $claim := .Values.storage }}
{{- if $claim }}
{{- if lt (include "connect.number" $claim.size | float64) 1048576.0 }}
- storage.{{ $name }}.size: {{ $claim.size }} holds nothing, for a number without a unit counts bytes. Give a size such as 10Gi.
{{- end }}
{{- end }}
{{- end }}
{{- range $option := join " " .Values.jvmOptions | splitList " " }}
{{- if regexMatch "^-Xm[sx]" $option }}
- jvmOptions: {{ $option }} is the heap, which has a value of its own. Give heap, and drop it.
{{- end }}
{{- end }}
{{- $own := list "app.kubernetes.io/instance" "app.kubernetes.io/managed-by" "app.kubernetes.io/name" "app.kubernetes.io/part-of" "app.kubernetes.io/version" "apps.kubernetes.io/pod-index" "controller-revision-hash" "helm.sh/chart" "kubernetes.io/metadata.name" "statefulset.kubernetes.io/pod-name" }}
{{- range $key, $_ := .Values.labels }}
{{- if has $key $own }}
- labels: {{ $key }} is set by the chart or by Kubernetes itself. Drop it, or give it another key.
{{- end }}
{{- end }}
{{- if hasKey (.Values.pods.annotations | default dict) "checksum/configuration" }}
- pods.annotations: checksum/configuration is the chart's own annotation. Drop it, or give it another key.
{{- end }}
{{- range $index, $toleration := .Values.pods.tolerations }}
{{- $operator := .operator | default "Exists" }}
{{- if and (eq $operator "Exists") .value }}
- pods.tolerations[{{ $index }}]: the operator Exists takes no value. Give operator=Equal, or drop the value.
{{- end }}
{{- if and (eq $operator "Equal") (not .key) }}
- pods.tolerations[{{ $index }}]: the operator Equal needs a key. Give key, or operator=Exists for every taint.
{{- end }}
{{- end }}
{{- end }}

{{- /* One pod of the release per node, and the zones evenly used where there are any. */}}
{{- define "connect.spread" -}}
{{- if gt (int .Values.replicas) 1 -}}
affinity:
  podAntiAffinity:
{{- if eq .Values.pods.antiAffinity "required" }}
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "connect.selector" . | nindent 12 }}
{{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "connect.selector" . | nindent 14 }}
{{- end }}
{{- end }}
topologySpreadConstraints:
  - topologyKey: topology.kubernetes.io/zone
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "connect.selector" . | nindent 8 }}
{{- include "connect.nodes" . }}
{{- end }}

{{- /* Which nodes will do. */}}
{{- define "connect.nodes" -}}
{{- with .Values.pods.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pods.tolerations }}
tolerations:
{{- range . }}
  - operator: {{ .operator | default "Exists" }}
    {{- with .key }}
    key: {{ . | quote }}
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
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* What the restricted Pod Security Standard asks of a pod. */}}
{{- define "connect.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "connect.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* Takes root, name and claim. In an earlier chart an empty class meant the cluster's default, and Kubernetes changes no
claim template: servers that run without a class in theirs stay without, as in an upgrade with --reuse-values. */}}
{{- define "connect.claim" -}}
{{- $class := .claim.storageClass }}
{{- $declared := kindIs "string" $class }}
{{- if and $declared (not $class) }}
{{- range dig "spec" "volumeClaimTemplates" list (lookup "apps/v1" "StatefulSet" .root.Release.Namespace .root.Release.Name) }}
{{- if eq .metadata.name $.name }}{{ $declared = hasKey .spec "storageClassName" }}{{ end }}
{{- end }}
{{- end -}}
accessModes: [ReadWriteOnce]
{{- if $declared }}
storageClassName: {{ $class | quote }}
{{- end }}
resources:
  requests:
    storage: {{ .claim.size | quote }}
{{- end }}

{{- /* Before an upgrade that removes servers a Job asks those that stay whether it may; hooks/removal.sh says what it asks.
Rendered without a cluster, it finds out itself whether servers are removed. */}}
{{- define "connect.removal" -}}
{{- $cluster := lookup "apps/v1" "StatefulSet" .Release.Namespace "" }}
{{- $there := dig "spec" "replicas" 0 (lookup "apps/v1" "StatefulSet" .Release.Namespace .Release.Name) | int }}
{{- if or (not $cluster) (gt $there (int .Values.replicas)) }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-removal
  labels:
    {{- include "connect.labels" . | nindent 4 }}
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
        {{- include "connect.podSecurity" . | nindent 8 }}
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . | quote }}
        {{- end }}
      {{- end }}
      {{- with include "connect.nodes" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      containers:
        - name: removal
          image: {{ include "connect.image" . | quote }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          command:
            - bash
            - -c
            - |
              {{- .Files.Get "hooks/removal.sh" | trim | nindent 14 }}
          env:
            - name: NAMESPACE
              valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
            - {name: RELEASE, value: {{ .Release.Name | quote }}}
            - {name: SERVERS, value: {{ .Values.replicas | quote }}}
            - {name: THERE, value: {{ $there | default "" | quote }}}
            - {name: PORT, value: {{ include "connect.removalPort" . | quote }}}
          terminationMessagePolicy: FallbackToLogsOnError
          resources:
            requests: {cpu: 100m, memory: {{ include "connect.removalMemory" . }}}
            limits: {cpu: "1", memory: {{ include "connect.removalMemory" . }}}
          securityContext:
            {{- include "connect.containerSecurity" . | nindent 12 }}
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
    {{- include "connect.labels" . | nindent 4 }}
  annotations:
    helm.sh/hook: pre-upgrade
    helm.sh/hook-weight: "-1"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
spec:
  podSelector:
    matchLabels:
      {{- include "connect.selector" . | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    - ports: [{port: {{ include "connect.removalPort" . }}}]
      from:
        - podSelector:
            matchLabels:
              app.kubernetes.io/name: {{ .Release.Name }}-removal
{{- end }}
{{- end }}
{{- end }}
