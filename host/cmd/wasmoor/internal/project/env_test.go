package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func envFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vars.env")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadEnv(t *testing.T) {
	got, err := ReadEnv(t.Context(), envFile(t, strings.Join([]string{
		"# a comment", "", "export B=two # and one here", `A="quoted # \"text\"\nsecond line"`, "C='as $it is'", "D=${B}/three",
		`E="over`, `two lines"`, "F=", "G: yaml", "H=a=b",
	}, "\r\n")))
	want := [][2]string{
		{"A", "quoted # \"text\"\nsecond line"},
		{"B", "two"},
		{"C", "as $it is"},
		{"D", "two/three"},
		{"E", "over\ntwo lines"},
		{"F", ""},
		{"G", "yaml"},
		{"H", "a=b"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestReadEnvSaysWhere: an error names the line, and nothing of what is secret.
func TestReadEnvSaysWhere(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{"api_key": "s3cret"}`, ":1: this is JSON"},
		{" [\"s3cret\"]", ":1: this is JSON"},
		{"A=1\nB=2\ns3cret\nC=3\n", ":3: this is not KEY=VALUE"},
		{"A=1\nB=\"s3cret\n", ":2: this is not KEY=VALUE"},
		{"A=1\ns3-cret%=2\n", ":2: this is not KEY=VALUE"},
		{"=s3cret", "no name before"},
		{"A=1\nB=s3cret\xff\n", ":2: this is not UTF-8"},
	} {
		_, err := ReadEnv(t.Context(), envFile(t, tt.text))
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3") {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
	if _, err := ReadEnv(t.Context(), filepath.Join(t.TempDir(), "absent")); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("absent: %v", err)
	}
}
