{{/* The template of a Pod, whatever controls it. */}}
{{- define "kube-iam.pod" -}}
{{- $beside := eq .Values.workload "DaemonSet" -}}
{{- $stateDir := include "kube-iam.stateDir" . -}}
{{- $tlsSecret := include "kube-iam.tlsSecret" . -}}
metadata:
  labels:
    {{- include "kube-iam.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with .Values.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: kube-iam
  automountServiceAccountToken: true
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if $beside }}
  hostNetwork: true
  {{- end }}
  # Running requests have ten seconds to finish{{ if not $beside }}, after five in which no new ones arrive{{ end }}.
  terminationGracePeriodSeconds: 20
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  containers:
  - name: kube-iam
    image: {{ include "kube-iam.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
    - serve
    {{- range .Values.extraArgs }}
    - {{ . | quote }}
    {{- end }}
    env:
    - {name: KUBE_IAM_LISTEN, value: {{ printf "%s:%v" (include "kube-iam.address" .) .Values.listen.port | quote }}}
    - {name: KUBE_IAM_HEALTH_LISTEN, value: {{ printf "%s:%v" (include "kube-iam.healthAddress" .) .Values.listen.healthPort | quote }}}
    - {name: KUBE_IAM_STATE_DIR, value: {{ $stateDir | quote }}}
    - {name: KUBE_IAM_MODE, value: {{ .Values.mode | quote }}}
    - {name: KUBE_IAM_CLUSTER_NAME, value: {{ .Values.clusterName | quote }}}
    - {name: KUBE_IAM_MANAGEMENT_ACCOUNT, value: {{ .Values.managementNamespace | default .Release.Namespace | quote }}}
    {{- with .Values.managementRoot }}
    - {name: KUBE_IAM_MANAGEMENT_ROOT, value: {{ . | quote }}}
    {{- end }}
    {{- with .Values.installers }}
    - {name: KUBE_IAM_INSTALLER, value: {{ join "\n" . | quote }}}
    {{- end }}
    - {name: KUBE_IAM_IMPERSONATED_ROLES, value: {{ .Values.impersonatedRoles | quote }}}
    - {name: KUBE_IAM_ADMISSION_CLIENT_AUTH, value: {{ .Values.admissionClientAuth }}}
    {{- if $tlsSecret }}
    - {name: KUBE_IAM_TLS_CERT, value: /etc/kube-iam/tls/tls.crt}
    - {name: KUBE_IAM_TLS_KEY, value: /etc/kube-iam/tls/tls.key}
    {{- end }}
    - {name: KUBE_IAM_LOG_FORMAT, value: {{ .Values.logFormat }}}
    - {name: RUST_LOG, value: {{ .Values.logLevel | quote }}}
    {{- with .Values.extraEnv }}{{ toYaml . | nindent 4 }}{{ end }}
    ports:
    - {name: webhooks, containerPort: {{ .Values.listen.port }}}
    - {name: health, containerPort: {{ .Values.listen.healthPort }}}
    livenessProbe:
      httpGet: {{- include "kube-iam.probe" (list . "/healthz") | nindent 8 }}
      periodSeconds: 10
      failureThreshold: 3
    readinessProbe:
      httpGet: {{- include "kube-iam.probe" (list . "/readyz") | nindent 8 }}
      periodSeconds: 2
      failureThreshold: 1
    {{- if not $beside }}
    lifecycle:
      # Until no Service sends requests here any more.
      preStop: {sleep: {seconds: 5}}
    {{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    {{- with .Values.resources }}
    resources: {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
    - {name: state, mountPath: {{ $stateDir | quote }}}
    {{- if $tlsSecret }}
    - {name: tls, mountPath: /etc/kube-iam/tls, readOnly: true}
    {{- end }}
    {{- with .Values.volumeMounts }}{{ toYaml . | nindent 4 }}{{ end }}
  volumes:
  {{- if .Values.state.hostPath }}
  - {name: state, hostPath: {path: {{ $stateDir | quote }}, type: Directory}}
  {{- else }}
  - {name: state, emptyDir: {}}
  {{- end }}
  {{- with $tlsSecret }}
  - {name: tls, secret: {secretName: {{ . | quote }}}}
  {{- end }}
  {{- with .Values.volumes }}{{ toYaml . | nindent 2 }}{{ end }}
  {{- if .Values.nodeSelector }}
  nodeSelector: {{- toYaml .Values.nodeSelector | nindent 4 }}
  {{- else if $beside }}
  nodeSelector: {node-role.kubernetes.io/control-plane: ""}
  {{- end }}
  {{- if .Values.tolerations }}
  tolerations: {{- toYaml .Values.tolerations | nindent 2 }}
  {{- else if $beside }}
  tolerations:
  - {key: node-role.kubernetes.io/control-plane, operator: Exists}
  {{- end }}
  {{- if .Values.affinity }}
  affinity: {{- toYaml .Values.affinity | nindent 4 }}
  {{- else if not $beside }}
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "kube-iam.selectorLabels" . | nindent 14 }}
  {{- end }}
  {{- if .Values.topologySpreadConstraints }}
  topologySpreadConstraints: {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
  {{- else if not $beside }}
  topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "kube-iam.selectorLabels" $ | nindent 8 }}
  {{- end }}
  {{- end }}
{{- end }}

{{/* A GET of the health address, from the node when it listens on the node's loopback. Arguments: root, path. */}}
{{- define "kube-iam.probe" -}}
{{- $root := index . 0 -}}
path: {{ index . 1 }}
port: health
{{- if and (eq $root.Values.workload "DaemonSet") (not (include "kube-iam.scrapable" $root)) }}
host: {{ include "kube-iam.healthAddress" $root | quote }}
{{- end }}
{{- end }}
