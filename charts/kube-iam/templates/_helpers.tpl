{{/* Labels of every object. */}}
{{- define "kube-iam.labels" -}}
{{ include "kube-iam.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (replace "+" "_" .Chart.Version) }}
{{- end }}

{{/* Labels by which Pods are found; they cannot change. */}}
{{- define "kube-iam.selectorLabels" -}}
app.kubernetes.io/name: kube-iam
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kube-iam.address" -}}
{{ .Values.listen.address | default (ternary "127.0.0.1" "0.0.0.0" (eq .Values.workload "DaemonSet")) }}
{{- end }}

{{- define "kube-iam.healthAddress" -}}
{{ .Values.listen.healthAddress | default (ternary "127.0.0.1" "0.0.0.0" (eq .Values.workload "DaemonSet")) }}
{{- end }}

{{/* Not empty where health and metrics are reached from outside the Pod's network. */}}
{{- define "kube-iam.scrapable" -}}
{{- $loopback := regexMatch "^(127\\.|\\[?::1\\]?$)" (include "kube-iam.healthAddress" .) -}}
{{- if and (ne .Values.workload "None") (not $loopback) }}yes{{ end }}
{{- end }}

{{/* The same path in the container and on the node, for the files in it name each other. */}}
{{- define "kube-iam.stateDir" -}}
{{ .Values.state.hostPath | default "/var/lib/kube-iam" }}
{{- end }}

{{- define "kube-iam.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* The Secret of the serving certificate; empty when kube-iam issues its own. */}}
{{- define "kube-iam.tlsSecret" -}}
{{- if .Values.certManager.enabled }}kube-iam-tls{{ else }}{{ .Values.existingSecret }}{{ end }}
{{- end }}

{{/* Where API servers reach the webhooks when it is not the Service. */}}
{{- define "kube-iam.url" -}}
{{- $address := include "kube-iam.address" . -}}
{{- if .Values.webhook.url -}}
{{ trimSuffix "/" .Values.webhook.url }}
{{- else if eq .Values.workload "DaemonSet" -}}
https://{{ ternary "127.0.0.1" $address (eq $address "0.0.0.0") }}:{{ .Values.listen.port }}
{{- end }}
{{- end }}

{{/*
How API servers reach the admission webhooks. Without caBundle where kube-iam issues its own certificate: it writes that
field itself, as field manager kube-iam-ca.
*/}}
{{- define "kube-iam.clientConfig" -}}
{{- with include "kube-iam.url" . -}}
url: {{ printf "%s/admit-iam" . | quote }}
{{- else -}}
service: {name: kube-iam, namespace: {{ .Release.Namespace }}, port: 443, path: /admit-iam}
{{- end }}
{{- with .Values.webhook.caBundle }}
caBundle: {{ . | quote }}
{{- end }}
{{- end }}

{{/* What a kube-apiserver is told, once it is to obey: the text that `serve` writes into its state folder. */}}
{{- define "kube-iam.authorizationConfiguration" -}}
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: Node, name: node}
- type: Webhook
  name: kube-iam
  webhook:
    authorizedTTL: 5s
    unauthorizedTTL: 5s
    cacheAuthorizedRequests: false      # 1.34+; leave both out before
    cacheUnauthorizedRequests: false
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: {{ ternary "NoOpinion" "Deny" (eq .Values.mode "shadow") }}
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: {{ printf "%s/authorizer.kubeconfig" (include "kube-iam.stateDir" .) | quote }}}
    matchConditions:
    # nodes, controller-manager, scheduler, kube-proxy, apiserver, aggregator, bootstrappers: all "system:" users but ServiceAccounts
    - expression: "!request.user.startsWith('system:') || request.user.startsWith('system:serviceaccount:') || request.user == 'system:anonymous'"
    # kube-apiserver as a client of kubelets (asked back by the kubelet's own SubjectAccessReview)
    - expression: "request.user != 'kube-apiserver-kubelet-client'"
    # controllers of the control plane, add-ons, CNI, CSI
    - expression: "!request.user.startsWith('system:serviceaccount:kube-system:')"
    # kube-iam itself (static minimal RBAC role); never ask ourselves
    - expression: "request.user != 'system:serviceaccount:{{ .Release.Namespace }}:kube-iam'"
    # liveness of the apiserver
    - expression: "!has(request.nonResourceAttributes) || !(request.nonResourceAttributes.path in ['/healthz', '/livez', '/readyz'])"
- {type: RBAC, name: rbac}
{{- end }}
