package sdk_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/log"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func TestConfig(t *testing.T) {
	host := sdktest.New(func(w *sdk.Response, r *sdk.Request) error {
		value, ok := sdk.Config(r.Query().Get("name"))
		if !ok {
			return sdk.Error(404, "not set")
		}
		return w.Text(200, value)
	})
	host.Config["empty"] = ""
	host.Config["long"] = strings.Repeat("x", 10_000)
	for _, c := range []struct {
		name   string
		status int
	}{{"empty", 200}, {"long", 200}, {"none", 404}} {
		res := host.Get("/?name=" + c.name)
		if res.Status != c.status || c.status == 200 && res.Text() != host.Config[c.name] {
			t.Errorf("%s: got %d with %d bytes", c.name, res.Status, len(res.Body))
		}
	}
}

func TestConfigOutsideARequest(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "sdk.Config api_key") {
			t.Errorf("panic %q, want one that names the call", text)
		}
	}()
	sdk.Config("api_key")
	t.Error("no panic")
}

func TestNowAndRandom(t *testing.T) {
	host := sdktest.New(func(w *sdk.Response, _ *sdk.Request) error {
		b := make([]byte, 4)
		sdk.Random(b)
		if _, err := w.Write(b); err != nil {
			return err
		}
		if sdk.Now() != 1893499200e9 {
			t.Errorf("Now() = %d", sdk.Now())
		}
		return nil
	})
	host.Random = bytes.NewReader([]byte("dice"))
	if res := host.Get("/"); res.Text() != "dice" {
		t.Errorf("got %v", res)
	}
}

func TestLog(t *testing.T) {
	res := run(t, func(*sdk.Response, *sdk.Request) error {
		log.Debug("d")
		log.Info("i", "s", "text", "b", []byte("bytes"), "n", -5, "u", uint8(7), "f", 1.5, "t", true, "nil", nil,
			"err", errors.New("why"), "other", struct{}{}, "last")
		log.Warn("w", 1, "k", "v")
		log.Error("e")
		return nil
	}, "GET", "/", "")
	want := []sdktest.Record{
		{Level: "debug", Message: "d", Attrs: map[string]string{}},
		{Level: "info", Message: "i", Attrs: map[string]string{
			"s": "text", "b": "bytes", "n": "-5", "u": "7", "f": "1.5", "t": "true", "nil": "<nil>",
			"err": "why", "other": "!UNSUPPORTED", "!BADKEY": "last",
		}},
		{Level: "warn", Message: "w", Attrs: map[string]string{"!BADKEY": "1", "k": "v"}},
		{Level: "error", Message: "e", Attrs: map[string]string{}},
	}
	if len(res.Logs) != len(want) {
		t.Fatalf("got %d records, want %d", len(res.Logs), len(want))
	}
	for i, w := range want {
		if got := res.Logs[i]; got.String() != w.String() {
			t.Errorf("record %d: got %v, want %v", i, got, w)
		}
	}
}

// TestLargeAttributes must not lose the message with them.
func TestLargeAttributes(t *testing.T) {
	res := run(t, func(*sdk.Response, *sdk.Request) error {
		log.Info("imported", "rows", strings.Repeat("x", 9<<10))
		return nil
	}, "GET", "/", "")
	if len(res.Logs) != 1 || res.Logs[0].Message != "imported" || !strings.HasPrefix(res.Logs[0].Attrs["attributes"], "left out") {
		t.Errorf("logs: %.200v", res.Logs)
	}
}
