{{- define "zookeeper.configuration" -}}
zoo.cfg: |
  {{- include "zookeeper.properties" . | trim | nindent 2 }}
{{ (.Files.Glob "files/*").AsConfig }}
{{- end }}

{{- define "zookeeper.membershipSecret" -}}
{{ .Values.membershipSecret | default (printf "%s-membership" .Release.Name) }}
{{- end }}
