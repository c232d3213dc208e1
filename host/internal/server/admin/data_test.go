package admin

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// dataRecorder is a Data that notes its last call.
type dataRecorder struct {
	note func(string, ...any) error
}

func (r dataRecorder) Sizes(_ context.Context, name, after string) (adminapi.Sizes, error) {
	return adminapi.Sizes{Areas: []adminapi.AreaSize{{Area: "kv", Usage: adminapi.Usage{Keys: 1, Bytes: 2}}}, Next: "AGE"}, r.note("sizes %s after %q", name, after)
}

func (r dataRecorder) ExportKeys(_ context.Context, name string, prefix []byte, by string) (sender, error) {
	return func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "lines\n")
		return err
	}, r.note("export %s %q by %s", name, prefix, by)
}

func (r dataRecorder) ImportKeys(_ context.Context, in adminapi.KeysImport, body []byte, by string) (adminapi.KeysImported, error) {
	return adminapi.KeysImported{Added: 1}, r.note("import %s %s from %d dry=%v %d bytes by %s", in.Name, in.OnConflict, in.Line, in.DryRun, len(body), by)
}

func (r dataRecorder) Export(_ context.Context, name, by string) (sender, error) {
	return func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "archive")
		return err
	}, r.note("export %s by %s", name, by)
}

func (r dataRecorder) Import(_ context.Context, in adminapi.DataImport, body io.Reader, by string) (adminapi.DataMoved, error) {
	n, err := io.Copy(io.Discard, body)
	if err != nil {
		return adminapi.DataMoved{}, err
	}
	return adminapi.DataMoved{From: "old"}, r.note("import %s replace=%v data only=%v %d bytes by %s", in.Name, in.Replace, in.DataOnly, n, by)
}

func (r dataRecorder) Copy(_ context.Context, in adminapi.DataCopy, to, by string) (adminapi.DataMoved, error) {
	return adminapi.DataMoved{From: in.From, Revision: 7}, r.note("copy %s to %s replace=%v by %s", in.From, to, in.Replace, by)
}

func TestData(t *testing.T) {
	d := &recorder{}
	addr := adminFor(t, d)
	for _, tc := range []struct {
		method, path, body string
		status             int
		call, want         string
	}{
		{"GET", "/v1/plugins/shop/data/sizes", "", 200, `sizes shop after ""`, `{"areas":[{"area":"kv","keys":1,"bytes":2}],"next":"AGE","total":{"keys":0,"bytes":0},"quota":{"keys":0,"bytes":0}}`},
		{"GET", "/v1/plugins/shop/data", "", 200, "export shop by admin", "archive"},
		{"PUT", "/v1/plugins/shop/data?replace=true", "abc", 200, "import shop replace=true data only=false 3 bytes by admin", `{"from":"old","revision":0,"keys":0,"bytes":0}`},
		{"PUT", "/v1/plugins/shop/data?data_only=true", "", 200, "import shop replace=false data only=true 0 bytes by admin", ""},
		{"POST", "/v1/plugins/shop/data/copy", `{"from":"old"}`, 200, "copy old to shop replace=false by admin", `{"from":"old","revision":7,"keys":0,"bytes":0}`},
		{"POST", "/v1/plugins/shop/data/copy", `{"from":"Old"}`, 422, "", ""},
		{"GET", "/v1/plugins/shop/data/sizes?after=AGE", "", 200, `sizes shop after "AGE"`, ""},
		{"GET", "/v1/plugins/shop/data/sizes?after=no!where", "", 422, "", ""},
		{"GET", "/v1/plugins/shop/kv/export?prefix=a%26", "", 200, `export shop "a&" by admin`, "lines\n"},
		{"GET", "/v1/plugins/shop/kv/export?prefix=a&prefix_base64=YQ==", "", 400, "", ""},
		{"POST", "/v1/plugins/shop/kv/import", "x", 200, "import shop  from 1 dry=false 1 bytes by admin", `{"added":1,"replaced":0,"unchanged":0,"skipped":0,"expired":0,"bytes":0}`},
		{"POST", "/v1/plugins/shop/kv/import?on_conflict=skip&line=2&dry_run=true", "xy", 200, "import shop skip from 2 dry=true 2 bytes by admin", ""},
		{"POST", "/v1/plugins/shop/kv/import?on_conflict=merge", "x", 422, "", ""},
		{"POST", "/v1/plugins/shop/kv/import?line=0", "x", 422, "", ""},
		{"POST", "/v1/plugins/shop/kv/import", strings.Repeat("x", adminapi.MaxImportBody+1), 413, "", ""},
	} {
		d.call = ""
		headers := []string{right, fmt.Sprintf("Content-Length: %d", len(tc.body))}
		if strings.Contains(tc.path, "/kv/import") {
			headers = append(headers, "Content-Type: "+adminapi.TypeLines)
		}
		got := servertest.RoundTrip(t, addr, servertest.Local(tc.method, tc.path, tc.body, headers...))
		if got.StatusCode != tc.status || d.call != tc.call || tc.want != "" && strings.TrimSpace(got.Text) != strings.TrimSpace(tc.want) {
			t.Errorf("%s %s: status %d, call %q, body %.300s", tc.method, tc.path, got.StatusCode, d.call, got.Text)
		}
	}
	d.err = fault.New(fault.NotFound, "", "no such plugin")
	if got := servertest.RoundTrip(t, addr, servertest.Local("GET", "/v1/plugins/shop/kv/export", "", right)); got.StatusCode != 404 {
		t.Errorf("an export that cannot begin: status %d", got.StatusCode)
	}
}

// TestAnArchiveHasAnyLength: it is read as it comes, and a client that stops sending is
// not waited for.
func TestAnArchiveHasAnyLength(t *testing.T) {
	d := &recorder{}
	addr := adminFor(t, d, func(c *Config) { c.Conns.WriteTimeout = 200 * time.Millisecond })
	for path, want := range map[string]int{"/v1/plugins/shop/data": 408, "/v1/plugins/shop/versions": 413} {
		method := map[int]string{408: "PUT", 413: "POST"}[want]
		got := servertest.RoundTrip(t, addr, servertest.Local(method, path, "a part", right, "Content-Length: 99999999999"))
		if got.StatusCode != want || d.call != "" {
			t.Errorf("%s: status %d, call %q, %s", path, got.StatusCode, d.call, got.Text)
		}
	}
}

// slowly gives a byte at a time.
type slowly struct{ left int }

func (s *slowly) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(20 * time.Millisecond)
	s.left--
	return copy(p, "x"), nil
}

// TestAnArchiveMayTakeLong: as long as something of it comes.
func TestAnArchiveMayTakeLong(t *testing.T) {
	d := &recorder{}
	addr := adminFor(t, d, func(c *Config) { c.Conns.BodyTimeout = 100 * time.Millisecond })
	c, err := client.New(client.Config{Server: "http://" + addr, Token: "right"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.ImportData(t.Context(), adminapi.DataImport{PluginRef: adminapi.PluginRef{Name: "shop"}}, &slowly{20}); err != nil || !strings.Contains(d.call, "20 bytes") {
		t.Errorf("%v, call %q", err, d.call)
	}
}
