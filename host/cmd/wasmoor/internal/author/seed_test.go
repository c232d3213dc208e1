package author

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSeedsAreRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seed.jsonl")
	text := `{"key": "a", "value": "text"}

{"key": "base64:AAE=", "value": "base64:/w==", "ttl": "1h", "plugin": "shop"}
{"key": "doc", "value": {"n": 1, "list": [1, 2]}}
{"key": "count", "counter": -2}
{"key": "null", "value": null}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readSeed(t.Context(), file, false)
	want := [][2]string{{"a", "text"}, {"\x00\x01", "\xff"}, {"doc", `{"n":1,"list":[1,2]}`}, {"count", "\xfe\xff\xff\xff\xff\xff\xff\xff"}, {"null", "null"}}
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %d seeds, %v", len(got), err)
	}
	for i, w := range want {
		if string(got[i].key) != w[0] || string(got[i].value) != w[1] {
			t.Errorf("seed %d is %q = %q, want %q", i, got[i].key, got[i].value, w)
		}
	}
	if got[1].ttl != time.Hour || got[1].plugin != "shop" || got[1].at != file+":3" {
		t.Errorf("got %+v", got[1])
	}
	if of := seedsOf(got, "other"); len(of) != len(got)-1 {
		t.Errorf("another plugin gets %d seeds", len(of))
	}
}

func TestWrongSeedsNameTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		`{"key": "a"`:                                 "this is not",
		`[]`:                                          "this is not",
		`{"key": "a", "value": 1} {}`:                 "more than one object",
		`{"value": 1}`:                                `"key" is missing`,
		`{"key": "a"}`:                                `either a "value"`,
		`{"key": "a", "value": 1, "counter": 1}`:      `either a "value"`,
		`{"key": "a", "vlaue": 1}`:                    `unknown field "vlaue"`,
		`{"key": "base64:?", "value": 1}`:             `"key" is not base64`,
		`{"key": "a", "value": "base64:?"}`:           `"value" is not base64`,
		`{"key": "a", "value": 1, "ttl": "-1h"}`:      `"ttl" "-1h" is not a time above zero`,
		`{"key": "a", "value": 1, "ttl": "tomorrow"}`: `"ttl" "tomorrow"`,
	} {
		file := filepath.Join(t.TempDir(), "seed.jsonl")
		if err := os.WriteFile(file, []byte("\n"+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readSeed(t.Context(), file, false)
		if err == nil || !strings.HasPrefix(err.Error(), file+":2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want line 2 and %q", text, err, want)
		}
	}
	twice := filepath.Join(t.TempDir(), "twice.jsonl")
	text := `{"key": "YQ", "value": 1}` + "\n" + `{"key": "base64:WVE=", "value": 2}` + "\n" + `{"plugin": "x", "key": "YQ", "value": 3}`
	if err := os.WriteFile(twice, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSeed(t.Context(), twice, false); err == nil || !strings.HasPrefix(err.Error(), twice+":2: the key of "+twice+":1") {
		t.Errorf("a key that comes twice: got %v", err)
	}
	if _, err := parseSeed([]byte(`{"key": "a", "value": 1}`), true); err == nil {
		t.Error("a seed of one of several plugins does not say of which")
	}
}

func TestClockOffset(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "+48h": 48 * time.Hour, "-90m": -90 * time.Minute, "2026-05-02T12:00:00Z": 24 * time.Hour, "2026-05-01T12:00:00+02:00": -2 * time.Hour,
	} {
		if got, err := clockOffset(text, now); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"48h", "tomorrow", "+2 days", "2026-05-02", "0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "+", "+2562000h", "-2562000h"} {
		if got, err := clockOffset(text, now); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}
