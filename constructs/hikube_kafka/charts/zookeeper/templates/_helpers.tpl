{{- define "zookeeper.configuration" -}}
zoo.cfg: |
  {{- include "zookeeper.properties" . | trim | nindent 2 }}
{{ (.Files.Glob "files/*").AsConfig }}
{{- end }}

{{- define "zookeeper.membershipSecret" -}}
{{ .Values.membershipSecret | default (printf "%s-membership" .Release.Name) }}
{{- end }}

{{- define "zookeeper.noMembershipSecret" -}}
{{- $name := include "zookeeper.membershipSecret" . -}}
membershipSecret is needed where the chart is rendered without a cluster (helm template, Argo CD, --dry-run=client): the chart would make another password at every rendering. Make the Secret once:

  kubectl -n {{ .Release.Namespace }} create secret generic {{ $name }} --from-literal=password="$(openssl rand -hex 16)"

and give the value membershipSecret={{ $name }}. Its only key is password, that of ZooKeeper's user super, who alone may change who votes. Servers that run already have such a Secret: name that one, and never change it. With a cluster at hand, --dry-run=server needs no value.
{{- end }}

{{- define "zookeeper.odd" -}}
{{- $servers := int .Values.replicas -}}
{{- if eq (mod $servers 2) 0 -}}
{{- fail (printf "replicas: %d servers need %d for a quorum and survive the loss of %d, as %d would. Give %d or %d." $servers (add (div $servers 2) 1) (div (sub $servers 1) 2) (sub $servers 1) (sub $servers 1) (add $servers 1)) }}
{{- end -}}
{{- end }}

{{- define "zookeeper.removalPort" }}2181{{ end }}
{{- define "zookeeper.removalMemory" }}64Mi{{ end }}
