package extism

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

func TestAppendRequest(t *testing.T) {
	head := abi.RequestHead{
		Method: "POST", Path: "/notes/a%20b", Mount: "/shop", Pattern: "POST /notes/{id}",
		Params: []abi.Pair{{Name: "id", Value: "a b"}}, Query: "q=1&q=2",
		Headers: []abi.Pair{{Name: "accept", Value: "*/*"}, {Name: "accept", Value: "<text>"}},
		Scheme:  "http", Host: "example.com:8080", Remote: "192.0.2.1", RequestID: "id-1", Attempt: 2,
		Trigger: "queue", Attributes: []abi.Pair{{Name: "queue.name", Value: "mail"}, {Name: "auth.subject", Value: ""}},
	}
	const rest = `{"v":1,"method":"POST","path":"/notes/a%20b","mount":"/shop","pattern":"POST /notes/{id}",` +
		`"params":{"id":"a b"},"query":"q=1&q=2","headers":[["accept","*/*"],["accept","<text>"]],` +
		`"scheme":"http","host":"example.com:8080","remote":"192.0.2.1","request_id":"id-1","attempt":2,` +
		`"trigger":"queue","attributes":{"auth.subject":"","queue.name":"mail"},`
	for body, want := range map[string]string{
		"":           rest + `"body":""}`,
		"gr\u00fc\n": rest + "\"body\":\"gr\u00fc\\n\"}",
		"\xff\x00":   rest + `"body_base64":"/wA="}`,
	} {
		if got := string(appendRequest(nil, &head, []byte(body))); got != want {
			t.Errorf("body %q:\n got %s\nwant %s", body, got, want)
		}
	}
	bare := string(appendRequest(nil, &abi.RequestHead{}, nil))
	if !strings.Contains(bare, `"params":{},"query":"","headers":[]`) || !strings.Contains(bare, `"trigger":"","attributes":{}`) {
		t.Errorf("without anything: %s", bare)
	}
}

func TestReply(t *testing.T) {
	for _, c := range []struct {
		name, output string
		status       int
		headers      []abi.Pair
		body         string
		outcome      uint32
	}{
		{"all", `{"status":201,"headers":[["a","1"],["a","2"]],"body":"text","outcome":"abort"}`, 201, []abi.Pair{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}}, "text", abi.OutcomeAbort},
		{"nothing", `{}`, 200, nil, "", abi.OutcomeDefault},
		{"base64", `{"body_base64":"/wA="}`, 200, nil, "\xff\x00", abi.OutcomeDefault},
		{"commit", ` {"status":503,"outcome":"commit"} `, 503, nil, "", abi.OutcomeCommit},
		{"null", `{"status":null,"headers":null,"body":null}`, 200, nil, "", abi.OutcomeDefault},
	} {
		t.Run(c.name, func(t *testing.T) {
			inv := enginetest.Invocation("", nil, nil)
			if err := handlerRoute().reply(inv, []byte(c.output)); err != nil {
				t.Fatal(err)
			}
			r := &inv.Reply
			if r.Status != c.status || string(r.Body) != c.body || inv.Outcome != c.outcome || r.Fault() != "" {
				t.Errorf("got %d %q, outcome %d, fault %q", r.Status, r.Body, inv.Outcome, r.Fault())
			}
			if diff := cmp.Diff(c.headers, append([]abi.Pair(nil), r.Headers...)); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

func handlerRoute() route {
	routes, _ := newRoutes([]manifest.Route{{Pattern: "/", Handler: "handle"}})
	return routes["/"]
}

func TestReplyRefused(t *testing.T) {
	for name, c := range map[string]struct{ output, says string }{
		"empty":           {"", "not a JSON object"},
		"null":            {"null", "not a JSON object"},
		"text":            {"hello", "not a JSON object"},
		"list":            {"[]", "not a JSON object"},
		"cut short":       {`{"status":200`, "unexpected EOF"},
		"rest":            {`{}{}`, "something after"},
		"unknown member":  {`{"header":[]}`, `unknown field "header"`},
		"status as text":  {`{"status":"200"}`, "status"},
		"fraction":        {`{"status":200.5}`, "status"},
		"negative status": {`{"status":-1}`, "between 200 and 599"},
		"large status":    {`{"status":4294967496}`, "between 200 and 599"},
		"status 199":      {`{"status":199}`, "between 200 and 599"},
		"status 600":      {`{"status":600}`, "between 200 and 599"},
		"field of one":    {`{"headers":[["a"]]}`, "headers[0]"},
		"field of three":  {`{"headers":[["a","b"],["a","b","c"]]}`, "headers[1]"},
		"header as map":   {`{"headers":{"a":"b"}}`, "headers"},
		"CRLF in a name":  {`{"headers":[["a\r\nb","c"]]}`, "not a token"},
		"CRLF in a value": {`{"headers":[["a","b\r\nc: d"]]}`, "control character"},
		"hop by hop":      {`{"headers":[["Transfer-Encoding","gzip"]]}`, "is the host's to set"},
		"both bodies":     {`{"body":"a","body_base64":"YQ=="}`, "both body and body_base64"},
		"bad base64":      {`{"body_base64":"YQ"}`, "base64"},
		"outcome":         {`{"outcome":"maybe"}`, "neither"},
		"long body":       {`{"body":"` + strings.Repeat("x", 11) + `"}`, "over the limit of 10 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			inv := enginetest.Invocation("", nil, nil)
			inv.Limits.ResponseBody = 10
			err := handlerRoute().reply(inv, []byte(c.output))
			reason := inv.Reply.Fault()
			if err != nil {
				reason = err.Error()
			}
			if !strings.Contains(reason, c.says) {
				t.Errorf("got %q, want %q", reason, c.says)
			}
		})
	}
}

// FuzzDecodeReply: what is taken says the same when it is written again.
func FuzzDecodeReply(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"status":404,"headers":[["a","b"]],"body":"x"}`, `{"body_base64":"/wA="}`,
		`{"outcome":"commit"}`, `{"headers":[[]]}`, `{"status":1e3}`, `{"body":"\ud800"}`, `{"status":200}x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		a, err := decodeReply(output)
		if err != nil {
			if len(err.Error()) > 2*maxReason {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		headers := make([][2]string, 0, len(a.head.Headers))
		for _, h := range a.head.Headers {
			headers = append(headers, [2]string{h.Name, h.Value})
		}
		again, err := json.Marshal(map[string]any{"status": a.head.Status, "headers": headers, "body_base64": a.body})
		if err != nil {
			t.Fatal(err)
		}
		b, err := decodeReply(again)
		if err != nil || string(b.body) != string(a.body) || b.head.Status != a.head.Status || !cmp.Equal(b.head.Headers, a.head.Headers) {
			t.Fatalf("%s became %+v, %v", again, b, err)
		}
	})
}
