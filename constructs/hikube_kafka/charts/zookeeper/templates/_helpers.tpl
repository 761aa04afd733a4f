{{- define "zookeeper.configuration" -}}
zoo.cfg: |
  {{- include "zookeeper.properties" . | trim | nindent 2 }}
{{ (.Files.Glob "files/*").AsConfig }}
{{- end }}

{{- define "zookeeper.membershipSecret" -}}
{{ .Values.membershipSecret | default (printf "%s-membership" .Release.Name) }}
{{- end }}

{{- /* What the templates and scripts rely on in the configuration, and what the values say of one another. */}}
{{- define "zookeeper.ownProblems" -}}
{{- $config := .Values.config }}
{{- $servers := int .Values.replicas }}
{{- if eq (mod $servers 2) 0 }}
- replicas: {{ $servers }} servers need {{ add (div $servers 2) 1 }} for a quorum and survive the loss of {{ div (sub $servers 1) 2 }}, as {{ sub $servers 1 }} would. Give {{ sub $servers 1 }} or {{ add $servers 1 }}.
{{- end }}
{{- $data := get $config "dataDir" | trim }}
{{- $log := get $config "dataLogDir" | trim }}
{{- range $key, $folder := dict "dataDir" $data "dataLogDir" $log }}
{{- if and $folder (or (not (regexMatch "^/[^:]+$" $folder)) (has (trimSuffix "/" $folder) (list "/tmp" "/release" "/membership-secret"))) }}
- config.{{ $key }}: {{ $folder }} is no folder in which a claim can be mounted. Give an absolute path of its own, such as /data.
{{- end }}
{{- end }}
{{- if not $data }}
- config.dataDir: it is missing, and the claim is mounted there. Leave it /data.
{{- end }}
{{- if and .Values.storage.log (not $log) }}
- storage.log: config.dataLogDir does not say where it is mounted. Give it the value /datalog.
{{- end }}
{{- if and .Values.storage.log $log (eq (trimSuffix "/" $log) (trimSuffix "/" $data)) }}
- config.dataLogDir: {{ $log }} is dataDir as well, and two claims cannot be mounted in one folder. Give it the value /datalog.
{{- end }}
{{- if and $log (not .Values.storage.log) (not (hasPrefix (printf "%s/" (trimSuffix "/" $data)) (printf "%s/" (trimSuffix "/" $log)))) }}
- config.dataLogDir: {{ $log }} is on no claim, and nothing else can be written to. Give the claim, storage.log, or drop dataLogDir.
{{- end }}
{{- range $key, $_ := $config }}
{{- if regexMatch "^(server\\..*|dynamicConfigFile|clientPort|clientPortAddress)$" $key }}
- config.{{ $key }}: who votes, and where each server is met, is the membership, which lives on the claims. Drop it.
{{- end }}
{{- end }}
{{- $words := get $config "4lw.commands.whitelist" | nospace | splitList "," }}
{{- if not (or (has "*" $words) (and (has "conf" $words) (has "srvr" $words))) }}
- config.4lw.commands.whitelist: the probes ask with srvr, and servers that start with conf. Give both.
{{- end }}
{{- $name := include "zookeeper.membershipSecret" . }}
{{- if .Values.membershipSecret }}
{{- $there := lookup "v1" "Secret" .Release.Namespace $name }}
{{- if and $there (not (dig "data" "password" "" $there)) }}
- membershipSecret: the Secret {{ $name }} has no password. It must hold, under the key password, that of ZooKeeper's user super, who alone may change who votes.
{{- end }}
{{- /* A list is never empty where there is a cluster: it has a kind. */}}
{{- else if not (lookup "apps/v1" "StatefulSet" .Release.Namespace "") }}
- membershipSecret is needed where the chart is rendered without a cluster (helm template, Argo CD, --dry-run=client): the chart would make another password at every rendering. Make the Secret once:

    kubectl -n {{ .Release.Namespace }} create secret generic {{ $name }} --from-literal=password="$(openssl rand -hex 16)"

  and give the value membershipSecret={{ $name }}. Its only key is password, that of ZooKeeper's user super, who alone may change who votes. Servers that run already have such a Secret: name that one, and never change it. With a cluster at hand, --dry-run=server needs no value.
{{- end }}
{{- end }}

{{- define "zookeeper.removalPort" }}2181{{ end }}
{{- define "zookeeper.removalMemory" }}64Mi{{ end }}
