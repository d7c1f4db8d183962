{{- define "alb-mtls.labels" -}}
app.kubernetes.io/name: alb-mtls
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
