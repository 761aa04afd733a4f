{{- define "kafka.configuration" -}}
server.properties: |
  {{- include "kafka.properties" . | trim | nindent 2 }}
{{ (.Files.Glob "files/*").AsConfig }}
{{- end }}

{{- define "kafka.externalPort" -}}
{{- $port := "" }}
{{- range .Values.listeners }}{{ if eq .name $.Values.external.listener }}{{ $port = .port }}{{ end }}{{ end }}
{{- $port }}
{{- end }}

{{- define "kafka.removalPort" }}{{ (first .Values.listeners).port }}{{ end }}
{{- define "kafka.removalMemory" }}384Mi{{ end }}

{{- /* What the templates and scripts rely on in the configuration, and what the values say of one another. */}}
{{- define "kafka.ownProblems" -}}
{{- $config := .Values.config }}
{{- $brokers := int .Values.replicas }}
{{- $there := printf "%s %d broker%s" (ternary "is" "are" (eq $brokers 1)) $brokers (ternary "" "s" (eq $brokers 1)) }}
{{- if ge (int64 .Values.shutdownGateSeconds) (int64 .Values.terminationGraceSeconds) }}
- shutdownGateSeconds: it must end before terminationGraceSeconds, {{ int64 .Values.terminationGraceSeconds }}, or the broker is killed while it waits. Give less, or a longer grace.
{{- end }}
{{- range $key, $default := dict "default.replication.factor" "1" "offsets.topic.replication.factor" "3" "transaction.state.log.replication.factor" "3" }}
{{- $factor := get $config $key | default $default | trim }}
{{- if and (regexMatch "^[0-9]+$" $factor) (gt (int64 $factor) (int64 $brokers)) }}
- config.{{ $key }}: {{ $factor }}{{ if not (hasKey $config $key) }}, Kafka's own default{{ end }}, but there {{ $there }}: a topic with more replicas than brokers is never created. Give {{ $brokers | toString | quote }} at most, or more brokers.
{{- end }}
{{- end }}
{{- if ne (get $config "broker.id" | trim) "<ordinal>" }}
- config.broker.id: {{ get $config "broker.id" | quote }} is not the number of the pod, by which a broker is found. Leave it "<ordinal>".
{{- end }}
{{- if not (hasPrefix "/var/lib/kafka/data" (get $config "log.dirs" | trim)) }}
- config.log.dirs: {{ get $config "log.dirs" | quote }} is not on the claim, which is mounted at /var/lib/kafka/data; nothing else can be written to. Leave it /var/lib/kafka/data/log.
{{- end }}
{{- if not (get $config "zookeeper.connect" | trim) }}
- config.zookeeper.connect: it is missing. Give the client addresses of the ZooKeeper servers, such as zookeeper-0.zookeeper-headless:2181.
{{- end }}
{{- $bound := get $config "listeners" | nospace }}
{{- $forward := int .Values.forwardPort }}
{{- $last := add $forward $brokers -1 | int }}
{{- if not (contains ":<forward-port>" $bound) }}
- config.listeners: none of them is bound to 127.0.0.1:<forward-port>, by which port-forwards and the broker's own probes reach it. Give it and advertised.listeners an entry FORWARD://127.0.0.1:<forward-port>.
{{- end }}
{{- if gt $last 65535 }}
- forwardPort: {{ $forward }} leaves no port for the last of {{ $brokers }} brokers. Give {{ sub 65536 $brokers }} at most.
{{- end }}
{{- $names := list }}
{{- $ports := list }}
{{- $external := dict }}
{{- range $listener := .Values.listeners }}
{{- $port := int .port }}
{{- if has .name $names }}
- listeners: two have the name {{ .name }}. Give each a name of its own.
{{- end }}
{{- if has $port $ports }}
- listeners: two have the port {{ $port }}. Give each a port of its own.
{{- end }}
{{- $names = append $names .name }}
{{- $ports = append $ports $port }}
{{- if and (ge $port $forward) (le $port $last) }}
- listeners: {{ .name }} has port {{ $port }}, which a broker's forward listener has as well: forwardPort {{ $forward }} and those after it, one for each broker. Give another port, or another forwardPort.
{{- end }}
{{- $entry := "" }}
{{- range splitList "," $bound }}{{ if hasSuffix (printf ":%d" $port) . }}{{ $entry = . }}{{ end }}{{ end }}
{{- if not $entry }}
- listeners: {{ .name }} has port {{ $port }}, to which no listener of config.listeners is bound: {{ $bound }}. Give config.listeners, config.advertised.listeners and config.listener.security.protocol.map an entry for it, such as {{ upper .name }}://:{{ $port }}, or drop it here.
{{- else if eq .name $.Values.external.listener }}
{{- $_ := set $external "name" (splitList "://" $entry | first | upper) }}
{{- end }}
{{- end }}
{{- if ne .Values.external.type "None" }}
{{- if not (has .Values.external.listener $names) }}
- external.listener: {{ .Values.external.listener | quote }} is not among the listeners: {{ join ", " $names }}. Give the name of one of them.
{{- else if and $external.name (hasKey $config "advertised.listeners") (not (contains (printf "%s://" $external.name) (get $config "advertised.listeners" | upper))) }}
- external.listener: config.advertised.listeners does not say where clients meet {{ $external.name }}. Give it an entry such as {{ $external.name }}://{{ ternary "<node>:<node-port>" (printf "kafka-<ordinal>.example.com:%s" (include "kafka.externalPort" .)) (eq .Values.external.type "NodePort") }}.
{{- end }}
{{- if and (eq .Values.external.type "NodePort") (gt (add (int .Values.external.nodePort) $brokers) 65536) }}
- external.nodePort: {{ int .Values.external.nodePort }} leaves no port for the last of {{ $brokers }} brokers. Give {{ sub 65536 $brokers }} at most, within what the cluster allows: 30000-32767 by default.
{{- end }}
{{- end }}
{{- if and .Values.rack.names .Values.rack.fromZone }}
- rack.fromZone: a broker has one rack, and rack.names gives it one already. Keep one of the two.
{{- end }}
{{- if and (or .Values.rack.names .Values.rack.fromZone) (ne (get $config "broker.rack" | trim) "<rack>") }}
- rack: config.broker.rack does not take it over. Give it the value "<rack>".
{{- end }}
{{- /* A list is never empty where there is a cluster: it has a kind. */}}
{{- if and .Values.rack.fromZone (not (lookup "v1" "Node" "" "")) }}
- rack.fromZone: the zones of the nodes are not known where the chart is rendered without a cluster (helm template, Argo CD, --dry-run=client), and the brokers would lose their racks. Name the racks in rack.names, or render with the cluster at hand (--dry-run=server).
{{- end }}
{{- end }}
