package abitest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/wasmoor/wasmoor/abi"
)

// HTTPRequest is a request as an HTTP client sends it to the host "test", and
// the head that the guest gets; or the status of a request that no guest sees.
type HTTPRequest struct {
	Name, Method, Target string
	Headers              [][2]string // without Host
	Body                 string
	Status               int // 0 = the guest gets Head
	Head                 struct {
		Path, Query string
		Headers     [][2]string // sorted by name
		RequestID   string      `json:"request_id"` // "" = one that the host makes
		BodySize    uint64      `json:"body_size"`
	}
}

// LoadRequests reads abi/testdata/requests.json.
func LoadRequests(file string) ([]HTTPRequest, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []HTTPRequest
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

// Check compares the head that a guest got. Fields of different names may stand
// in any order, and what depends on the mount is not looked at.
func (r *HTTPRequest) Check(got *abi.RequestHead) error {
	headers := fromPairs(got.Headers)
	slices.SortStableFunc(headers, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	wanted := slices.Clone(r.Head.Headers)
	slices.SortStableFunc(wanted, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	want := fmt.Sprintf("%q", []any{
		r.Method, r.Head.Path, r.Head.Query, wanted, "http", "test", "127.0.0.1", abi.TriggerHTTP, fmt.Sprint(r.Head.BodySize), "1", "0",
	})
	have := fmt.Sprintf("%q", []any{
		got.Method, got.Path, got.Query, headers, got.Scheme, got.Host, got.Remote, got.Trigger, fmt.Sprint(got.BodySize),
		fmt.Sprint(got.Attempt), fmt.Sprint(len(got.Attributes)),
	})
	if have != want {
		return fmt.Errorf("the guest gets %s, want %s", have, want)
	}
	given := ""
	for _, h := range r.Headers {
		if h[0] == "X-Request-Id" {
			given = h[1]
		}
	}
	if made := got.RequestID != given; got.RequestID == "" || made != (r.Head.RequestID == "") {
		return fmt.Errorf("the request's id is %q, and the client's %q", got.RequestID, given)
	}
	return nil
}
