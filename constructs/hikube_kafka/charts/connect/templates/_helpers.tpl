{{- define "connect.configuration" -}}
connect-distributed.properties: |
  {{- include "connect.properties" . | trim | nindent 2 }}
{{ (.Files.Glob "files/*").AsConfig }}
{{- end }}

{{- /* Of the REST interface: on 127.0.0.1 for probes and port-forwards, on the pod's address for the other workers. */}}
{{- define "connect.restPort" }}8083{{ end }}
{{- define "connect.groupPort" }}8084{{ end }}

{{- define "connect.installer" -}}
terminationMessagePolicy: FallbackToLogsOnError
resources:
  requests: {cpu: 100m, memory: 128Mi}
  limits: {cpu: "1", memory: 128Mi}
securityContext:
  {{- include "connect.containerSecurity" . | nindent 2 }}
{{- end }}

{{- /* What fills the folder of plugins before the worker starts. Kubernetes reads $ in a command: twice, it is itself. */}}
{{- define "connect.installers" -}}
{{- $archives := list }}
{{- range .Values.plugins }}
{{- if .archive }}
{{- $archives = concat $archives (list .name (replace "$" "$$" .archive) .checksum) }}
{{- else if .image }}
- name: plugin-{{ .name }}
  image: {{ .image | quote }}
  command:
    - sh
    - -c
    # A folder, or a single file; what an earlier start has left is replaced.
    - rm -rf "$2" && mkdir "$2" && if [ -d "$1" ]; then cp -R "$1/." "$2"; else cp "$1" "$2"; fi
    - install
    - {{ .imagePath | replace "$" "$$" | quote }}
    - /target/{{ .name }}
  {{- include "connect.installer" $ | nindent 2 }}
  volumeMounts:
    - {name: plugins, mountPath: /target}
{{- end }}
{{- end }}
{{- with $archives }}
- name: archives
  image: {{ include "connect.image" $ | quote }}
  imagePullPolicy: {{ $.Values.image.pullPolicy }}
  command:
    - bash
    - /release/archives.sh
    {{- range . }}
    - {{ . | quote }}
    {{- end }}
  {{- include "connect.installer" $ | nindent 2 }}
  volumeMounts:
    - {name: release, mountPath: /release, readOnly: true}
    - {name: plugins, mountPath: /target}
{{- end }}
{{- end }}

{{- /* What the templates and scripts rely on in the configuration, and what the values say of one another. */}}
{{- define "connect.ownProblems" -}}
{{- $config := .Values.config }}
{{- range $key, $such := dict "bootstrap.servers" "kafka:9092" "group.id" "connect" "config.storage.topic" "connect.configs" "offset.storage.topic" "connect.offsets" "status.storage.topic" "connect.status" "key.converter" "org.apache.kafka.connect.json.JsonConverter" "value.converter" "org.apache.kafka.connect.json.JsonConverter" }}
{{- if not (get $config $key | trim) }}
- config.{{ $key }}: it is missing, and no worker starts without it. Give one such as {{ $such }}.
{{- end }}
{{- end }}
{{- $bound := splitList "," (get $config "listeners" | nospace) }}
{{- $rest := printf "http://127.0.0.1:%s" (include "connect.restPort" .) }}
{{- if not (has $rest $bound) }}
- config.listeners: {{ $rest }} is not among them, by which port-forwards and the worker's own probes reach it. Give it.
{{- end }}
{{- if gt (int .Values.replicas) 1 }}
{{- $group := printf "http://:%s" (include "connect.groupPort" .) }}
{{- if not (has $group $bound) }}
- config.listeners: {{ $group }} is not among them, by which workers hand requests on to their leader. Give it, or replicas=1.
{{- end }}
{{- if or (ne (get $config "rest.advertised.host.name" | trim) "<host>") (ne (get $config "rest.advertised.port" | trim) (include "connect.groupPort" .)) }}
- config.rest.advertised: {{ get $config "rest.advertised.host.name" }}:{{ get $config "rest.advertised.port" }} does not lead from one worker to another. Give rest.advertised.host.name="<host>" and rest.advertised.port={{ include "connect.groupPort" . | quote }}.
{{- end }}
{{- end }}
{{- if ne (get $config "plugin.path" | trim) "/plugins" }}
- config.plugin.path: {{ get $config "plugin.path" | quote }} is not where plugins are installed. Leave it /plugins.
{{- end }}
{{- $names := list }}
{{- range .Values.plugins }}
{{- if has .name $names }}
- plugins: two have the name {{ .name }}. Give each a name of its own.
{{- end }}
{{- $names = append $names .name }}
{{- $plugin := . }}
{{- $sources := list }}
{{- range list "image" "volume" "archive" }}{{ if get $plugin . }}{{ $sources = append $sources . }}{{ end }}{{ end }}
{{- if ne (len $sources) 1 }}
- plugins: {{ .name }} has {{ join " and " $sources | default "no source" }}. Give it one of image, volume and archive.
{{- end }}
{{- if regexMatch "://[^/[:space:]?#]*@|(?i)[?&;]([a-z0-9_.-]*(password|passwd|secret|token|signature|credential|api[_-]?key)|sig|key)=" (.archive | default "") }}
- plugins: {{ .name }} has an archive with a user name, a password or a signature in its URL, and whoever may see the pod or its log reads it. Serve the archive where it needs none: its checksum guards it.
{{- end }}
{{- if and .archive (not .checksum) }}
- plugins: {{ .name }} has an archive without a checksum, and a worker runs whatever is in it. Give checksum=sha512:..., the digest that its project publishes.
{{- end }}
{{- end }}
{{- range $index, $secret := .Values.secrets }}
{{- if has $secret (slice $.Values.secrets 0 $index) }}
- secrets: {{ $secret }} is given twice. Give it once.
{{- end }}
{{- end }}
{{- end }}
