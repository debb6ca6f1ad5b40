{{- define "kube-iam-crds.metadata" -}}
{{- if .Values.keep }}
  annotations:
    helm.sh/resource-policy: keep
{{- end }}
  labels:
    app.kubernetes.io/name: kube-iam
    app.kubernetes.io/instance: {{ .Release.Name }}
    app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
    app.kubernetes.io/component: crds
    app.kubernetes.io/managed-by: {{ .Release.Service }}
    helm.sh/chart: {{ printf "kube-iam-crds-%s" (replace "+" "_" .Chart.Version) }}
{{- end }}
