{{- define "labels" -}}
app.kubernetes.io/name: histoserve
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{/* The Job's copy of the models, with plans: another for other models, TensorRT or GPUs. The volume is at /engines. */}}
{{- define "repository-with-plans" -}}
/engines/{{ list .Values.models.reference .Values.engines.image .Values.hardware.nodeSelector | toJson | sha256sum | trunc 16 }}
{{- end }}

{{- define "pod-security" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "container-security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ ALL ] }
{{- end }}

{{- define "spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector: { matchLabels: {{ include "labels" . | fromYaml | toJson }} }
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
  labelSelector: { matchLabels: {{ include "labels" . | fromYaml | toJson }} }
{{- end }}
