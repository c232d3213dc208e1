package outbound

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
)

// TestHeaderKeepsItsOrder reads headers as plugins of Extism write them.
func TestHeaderKeepsItsOrder(t *testing.T) {
	for text, want := range map[string]header{
		`{"url":"u","headers":{"x-Z":"1","a":"2","M":"3"}}`: {{Name: "x-Z", Value: "1"}, {Name: "a", Value: "2"}, {Name: "M", Value: "3"}},
		`{"headers":{}}`: nil, `{"headers":null}`: nil, `{}`: nil,
		`{"headers":{"\u0061":"\u00fc"}}`: {{Name: "a", Value: "ü"}},
	} {
		var r request
		if err := json.Unmarshal([]byte(text), &r); err != nil || !cmp.Equal([]abi.Pair(r.Headers), []abi.Pair(want)) {
			t.Errorf("%s: %v, %v", text, r.Headers, err)
		}
	}
	for _, text := range []string{`{"headers":[]}`, `{"headers":"x"}`, `{"headers":{"a":1}}`, `{"headers":{"a":null,"b":{}}}`, `{"headers":{"a":["b"]}}`} {
		if err := json.Unmarshal([]byte(text), new(request)); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}
