{{- /* files/envoy.yaml with this release's addresses, and a guard before its filters: as deploy/local/envoy.py fills it. */}}
{{- define "envoy-config" -}}
{{- $whole := .Files.Get "files/envoy.yaml" | fromYaml }}
{{- $socket := dict "pipe" (dict "path" "/run/envoy/admin.sock" "mode" 384) }}
{{- $_ := set $whole.admin "address" $socket }}
{{- /* What Envoy needs besides requests stays free. */}}
{{- $heap := mul (sub (int .Values.envoy.memoryMiB) 512) 1048576 }}
{{- range $whole.overload_manager.resource_monitors }}
{{- $_ := set .typed_config "max_heap_size_bytes" $heap }}
{{- end }}
{{- range $whole.static_resources.listeners }}
{{- $_ := set .address.socket_address "address" "0.0.0.0" }}
{{- if eq .name "grpc" }}
{{- $chain := index .filter_chains 0 }}
{{- $manager := (index $chain.filters 0).typed_config }}
{{- $_ := set $manager "http_filters" (concat (include "envoy-guard" $ | fromYamlArray) $manager.http_filters) }}
{{- if $.Values.guard.tlsSecret }}
{{- $_ := set $chain "transport_socket" (include "envoy-tls" $ | fromYaml) }}
{{- end }}
{{- end }}
{{- end }}
{{- /* What all replicas there may be hold at a time, shared by the pods of Envoy: more would wait until they are of no use. */}}
{{- $replicas := ternary (int .Values.scaling.most) (int .Values.scaling.least) .Values.scaling.enabled }}
{{- $pods := int .Values.envoy.replicas }}
{{- $most := div (sub (add (mul (int .Values.requests.inFlight) $replicas) $pods) 1) $pods }}
{{- range $whole.static_resources.clusters }}
{{- if eq .name "replicas" }}
{{- range .circuit_breakers.thresholds }}
{{- $_ := set . "max_requests" $most }}
{{- end }}
{{- end }}
{{- if eq .name "admin" }}
{{- $_ := set .load_assignment "endpoints" (list (dict "lb_endpoints" (list (dict "endpoint" (dict "address" (dict "pipe" (dict "path" "/run/envoy/admin.sock"))))))) }}
{{- else }}
{{- $name := printf "%s-triton.%s.svc" $.Release.Name $.Release.Namespace }}
{{- $_ := set .load_assignment "endpoints" (list (dict "lb_endpoints" (list (dict "endpoint" (dict "address" (dict "socket_address" (dict "address" $name "port_value" 8001))))))) }}
{{- end }}
{{- end }}
{{- toYaml $whole }}
{{- end }}

{{- define "envoy-tls" -}}
name: envoy.transport_sockets.tls
typed_config:
  "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
  common_tls_context:
    alpn_protocols: [ h2 ]
    tls_params: { tls_minimum_protocol_version: TLSv1_2 }
    tls_certificates:
      - certificate_chain: { filename: /etc/envoy-tls/tls.crt }
        private_key: { filename: /etc/envoy-tls/tls.key }
        # A renewed one is taken up without a restart.
        watched_directory: { path: /etc/envoy-tls }
    {{- if .Values.guard.clientCertificates }}
    validation_context:
      trusted_ca: { filename: /etc/envoy-tls/ca.crt }
      watched_directory: { path: /etc/envoy-tls }
  require_client_certificate: true
    {{- end }}
{{- end }}

{{- define "envoy-guard" -}}
{{- if .Values.guard.jwt.issuer }}
- name: envoy.filters.http.jwt_authn
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
    providers:
      caller:
        issuer: {{ .Values.guard.jwt.issuer | quote }}
        audiences: [ {{ .Values.guard.jwt.audience | quote }} ]
        require_expiration: true
        # Whose share of the requests it counts to.
        subjects: { safe_regex: { regex: ".+" } }
        local_jwks: { inline_string: {{ .Values.guard.jwt.jwks | quote }} }
        claim_to_headers: [ { header_name: x-histoserve-caller, claim_name: sub } ]
    rules: [ { match: { prefix: / }, requires: { provider_name: caller } } ]
{{- end }}
{{- if .Values.guard.requestsPerMinute }}
- name: envoy.filters.http.local_ratelimit
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
    stat_prefix: callers
    # The callers' own buckets decide, not this one.
    token_bucket: { max_tokens: 1000000, tokens_per_fill: 1000000, fill_interval: 1s }
    filter_enabled: { default_value: { numerator: 100 } }
    filter_enforced: { default_value: { numerator: 100 } }
    rate_limited_as_resource_exhausted: true
    # Buckets at a time; more callers than that, and whoever was quiet for longest gets a full one again.
    max_dynamic_descriptors: 10000
    rate_limits:
      - actions:
          {{- if .Values.guard.jwt.issuer }}
          - request_headers: { header_name: x-histoserve-caller, descriptor_key: caller }
          {{- else }}
          - remote_address: {}
          {{- end }}
    descriptors:
      # Without a value: a bucket for each caller.
      - entries: [ { key: {{ if .Values.guard.jwt.issuer }}caller{{ else }}remote_address{{ end }} } ]
        token_bucket:
          max_tokens: {{ .Values.guard.requestsPerMinute }}
          tokens_per_fill: {{ .Values.guard.requestsPerMinute }}
          fill_interval: 60s
{{- end }}
{{- if not (or .Values.guard.jwt.issuer .Values.guard.requestsPerMinute) }}
[]
{{- end }}
{{- end }}
