package traces

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// said is an environment.
func said(pairs ...string) func(string) string {
	env := map[string]string{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		env[name] = value
	}
	return func(name string) string { return env[name] }
}

const (
	endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318"
	ofTraces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://collector/own?key=1"
)

func TestOff(t *testing.T) {
	for _, env := range [][]string{
		{}, {"OTEL_SERVICE_NAME=x"}, {endpoint, "OTEL_SDK_DISABLED=TRUE"}, {endpoint, "OTEL_TRACES_EXPORTER=none"},
	} {
		if _, on, err := FromEnv(said(env...)); on || err != nil {
			t.Errorf("%q: %v, %v", env, on, err)
		}
	}
}

func TestFromEnv(t *testing.T) {
	c, on, err := FromEnv(said(endpoint))
	if !on || err != nil {
		t.Fatal(on, err)
	}
	if c.URL != "http://collector:4318/v1/traces" || c.Timeout != 10*time.Second || c.Delay != 5*time.Second || !c.Gzip || len(c.Header) > 0 {
		t.Errorf("defaults %+v", c)
	}
	if got := c.Sampler.Description(); !strings.HasPrefix(got, "ParentBased{root:AlwaysOnSampler") {
		t.Errorf("sampler %s", got)
	}
	c, _, err = FromEnv(said(endpoint, ofTraces,
		"OTEL_EXPORTER_OTLP_HEADERS=api-key=a%2Cb, x = y ", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=1500", "OTEL_EXPORTER_OTLP_TIMEOUT=1",
		"OTEL_EXPORTER_OTLP_COMPRESSION=none", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_BSP_SCHEDULE_DELAY=20",
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=prod,service.name=other", "OTEL_SERVICE_NAME=shop",
		"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.25"))
	if err != nil {
		t.Fatal(err)
	}
	if c.URL != "https://collector/own?key=1" || c.Timeout != 1500*time.Millisecond || c.Delay != 20*time.Millisecond || c.Gzip {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff(map[string][]string{"Api-Key": {"a,b"}, "X": {"y"}}, map[string][]string(c.Header)); diff != "" {
		t.Error(diff)
	}
	if got := c.Sampler.Description(); got != "TraceIDRatioBased{0.25}" {
		t.Errorf("sampler %s", got)
	}
	var who []string
	for _, a := range c.Resource {
		who = append(who, string(a.Key)+"="+a.Value.AsString())
	}
	if diff := cmp.Diff([]string{"deployment.environment.name=prod", "service.name=shop"}, who); diff != "" {
		t.Error(diff)
	}
}

// What cannot be followed is named, and what may be secret of it is not repeated.
func TestWrongVariables(t *testing.T) {
	for _, tt := range []struct{ set, want string }{
		{"OTEL_EXPORTER_OTLP_ENDPOINT=grpc://user:hunter2@x", "OTEL_EXPORTER_OTLP_ENDPOINT: it is no URL"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=collector:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: it is no URL"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", `OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not spoken; use http/protobuf`},
		{"OTEL_EXPORTER_OTLP_HEADERS=hunter2", "OTEL_EXPORTER_OTLP_HEADERS: it is no list"},
		{"OTEL_EXPORTER_OTLP_HEADERS=a b=hunter2", `OTEL_EXPORTER_OTLP_HEADERS: "a b" is no name`},
		{"OTEL_EXPORTER_OTLP_HEADERS=a=hunter2%0a", `OTEL_EXPORTER_OTLP_HEADERS: "a" is no name`},
		{"OTEL_EXPORTER_OTLP_TIMEOUT=10s", `OTEL_EXPORTER_OTLP_TIMEOUT: "10s" is no number`},
		{"OTEL_EXPORTER_OTLP_COMPRESSION=zstd", `OTEL_EXPORTER_OTLP_COMPRESSION: "zstd" is unknown`},
		{"OTEL_TRACES_EXPORTER=zipkin", `OTEL_TRACES_EXPORTER: "zipkin" is unknown`},
		{"OTEL_TRACES_SAMPLER=jaeger_remote", `OTEL_TRACES_SAMPLER: "jaeger_remote" is unknown`},
		{"OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=2", `OTEL_TRACES_SAMPLER_ARG: "2" is no number from 0 to 1`},
	} {
		set := strings.Split(strings.ReplaceAll(tt.set, " OTEL", "\nOTEL"), "\n")
		_, on, err := FromEnv(said(append([]string{endpoint}, set...)...))
		if on || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, %v", tt.set, on, err)
		}
	}
}
