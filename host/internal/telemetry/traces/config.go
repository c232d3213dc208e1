package traces

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Config is what the standard variables of OpenTelemetry say.
type Config struct {
	URL      string // where spans go: OTLP over HTTP
	Header   http.Header
	Timeout  time.Duration // of one attempt to send
	Delay    time.Duration // for which spans wait for others
	Gzip     bool
	Sampler  sdk.Sampler
	Resource []attribute.KeyValue
}

// The defaults of the standard.
const (
	defaultTimeout = 10 * time.Second
	defaultDelay   = 5 * time.Second
	tracesPath     = "/v1/traces"
)

// FromEnv reads the variables. on says whether they ask for traces: they name where
// to send them, and do not say no. The error, Invalid, names the variable that cannot
// be followed.
func FromEnv(getenv func(string) string) (c Config, on bool, err error) {
	e := environment{getenv: getenv}
	if e.isOff() {
		return c, false, nil
	}
	c = Config{
		URL: e.endpoint(), Header: e.header(), Timeout: e.duration("TIMEOUT", defaultTimeout), Gzip: e.gzip(),
		Delay: e.millis("OTEL_BSP_SCHEDULE_DELAY", defaultDelay), Sampler: e.sampler(), Resource: e.resource(),
	}
	e.protocol()
	if e.err != nil {
		return Config{}, false, e.err
	}
	return c, true, nil
}

// environment reads variables, and keeps the first error.
type environment struct {
	getenv func(string) string
	err    error
}

const otlp = "OTEL_EXPORTER_OTLP_"

func (e *environment) get(name string) string { return strings.TrimSpace(e.getenv(name)) }

// otlp returns the variable of the exporter that is for traces alone, or for all
// signals, and its name.
func (e *environment) otlp(name string) (value, from string) {
	for _, from := range []string{otlp + "TRACES_" + name, otlp + name} {
		if value := e.get(from); value != "" {
			return value, from
		}
	}
	return "", otlp + name
}

func (e *environment) wrong(name, format string, args ...any) {
	if e.err == nil {
		e.err = fault.New(fault.Invalid, "", name+": "+fmt.Sprintf(format, args...))
	}
}

func (e *environment) isOff() bool {
	endpoint, _ := e.otlp("ENDPOINT")
	return endpoint == "" || strings.EqualFold(e.get("OTEL_SDK_DISABLED"), "true") || e.exporter() == "none"
}

func (e *environment) exporter() string {
	switch exporter := e.get("OTEL_TRACES_EXPORTER"); exporter {
	case "", "otlp", "none":
		return exporter
	default:
		e.wrong("OTEL_TRACES_EXPORTER", "%.64q is unknown; use otlp or none", exporter)
		return ""
	}
}

func (e *environment) protocol() {
	if protocol, from := e.otlp("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		e.wrong(from, "%.64q is not spoken; use http/protobuf, whose port is usually 4318", protocol)
	}
}

func (e *environment) endpoint() string {
	text, from := e.otlp("ENDPOINT")
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		e.wrong(from, "it is no URL like http://localhost:4318") // its text may hold a password
		return ""
	}
	if from == otlp+"ENDPOINT" {
		u.Path = strings.TrimSuffix(u.Path, "/") + tracesPath
	}
	return u.String()
}

func (e *environment) header() http.Header {
	text, from := e.otlp("HEADERS")
	header := http.Header{}
	for _, p := range e.list(from, text) {
		if !field.IsToken(p.name) || !field.IsValue(p.value) {
			e.wrong(from, "%.64q is no name of a header, or its value has a control character", p.name)
			return nil
		}
		header.Set(p.name, p.value)
	}
	return header
}

type pair struct{ name, value string }

// list reads key=value,key=value, whose values may have percent-encoded bytes.
func (e *environment) list(from, text string) (list []pair) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, value, ok := strings.Cut(item, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil {
			e.wrong(from, "it is no list like key=value,key2=value2, with percent-encoded commas in values")
			return nil
		}
		list = append(list, pair{name, value})
	}
	return list
}

// duration reads one in milliseconds, as the standard has them, or in words of Go.
func (e *environment) duration(name string, normal time.Duration) time.Duration {
	_, from := e.otlp(name)
	return e.millis(from, normal)
}

const maxDuration = time.Hour

func (e *environment) millis(from string, normal time.Duration) time.Duration {
	text := e.get(from)
	if text == "" {
		return normal
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if d := time.Duration(n) * time.Millisecond; err == nil && n > 0 && n <= int64(maxDuration/time.Millisecond) {
		return d
	}
	e.wrong(from, "%.64q is no number of milliseconds from 1 to 3600000", text)
	return normal
}

func (e *environment) gzip() bool {
	switch text, from := e.otlp("COMPRESSION"); text {
	case "", "gzip":
		return true
	case "none":
	default:
		e.wrong(from, "%.64q is unknown; use gzip or none", text)
	}
	return false
}

func (e *environment) sampler() sdk.Sampler {
	const name = "OTEL_TRACES_SAMPLER"
	text := cmp.Or(e.get(name), "parentbased_always_on")
	kind, ofParent := strings.CutPrefix(text, "parentbased_")
	var root sdk.Sampler
	switch kind {
	case "always_on":
		root = sdk.AlwaysSample()
	case "always_off":
		root = sdk.NeverSample()
	case "traceidratio":
		root = sdk.TraceIDRatioBased(e.ratio(name + "_ARG"))
	default:
		e.wrong(name, "%.64q is unknown; use always_on, always_off, traceidratio, or one of them after parentbased_", text)
		return nil
	}
	if ofParent {
		return sdk.ParentBased(root)
	}
	return root
}

func (e *environment) ratio(name string) float64 {
	text := cmp.Or(e.get(name), "1")
	ratio, err := strconv.ParseFloat(text, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		e.wrong(name, "%.64q is no number from 0 to 1", text)
	}
	return ratio
}

// resource is what says of all spans who made them.
func (e *environment) resource() (list []attribute.KeyValue) {
	const name = "OTEL_RESOURCE_ATTRIBUTES"
	service := e.get("OTEL_SERVICE_NAME")
	for _, p := range e.list(name, e.get(name)) {
		if p.name == "service.name" {
			service = cmp.Or(service, p.value)
			continue
		}
		list = append(list, attribute.String(p.name, p.value))
	}
	return append(list, attribute.String("service.name", cmp.Or(service, "wasmoor")))
}
