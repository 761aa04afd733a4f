{{- define "kafka.configuration" -}}
server.properties: |
  {{- include "kafka.properties" . | trim | nindent 2 }}
{{ (.Files.Glob "files/*").AsConfig }}
{{- end }}

{{- define "kafka.externalPort" -}}
{{- $port := "" }}
{{- range .Values.listeners }}{{ if eq .name $.Values.external.listener }}{{ $port = .port }}{{ end }}{{ end }}
{{- $port | required (printf "external.listener: %q is not among the listeners" .Values.external.listener) }}
{{- end }}

{{- define "kafka.removalPort" }}{{ (first .Values.listeners).port }}{{ end }}
{{- define "kafka.removalMemory" }}384Mi{{ end }}
