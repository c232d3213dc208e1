package sdktest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/abi/pattern"
)

// match finds the manifest's route of a request, or answers in its place.
func (h *Host) match(head *abi.RequestHead) (answer *Result) {
	if len(h.Routes) == 0 {
		return nil
	}
	var set pattern.Set[struct{}]
	for _, text := range h.Routes {
		p, err := pattern.Parse(text)
		if err == nil && p.Host() != "" {
			err = fmt.Errorf("the route %q names a host: only a mount has one; write %q", text, p.WithoutHost())
		}
		if err == nil {
			err = set.Add(p, struct{}{})
		}
		if err != nil {
			panic("sdktest: " + err.Error())
		}
	}
	if m, ok := set.Match(head.Method, "", head.Path, nil); ok {
		head.Pattern, head.Params = m.Pattern.String(), m.Params
		return nil
	}
	methods := set.Allowed("", head.Path)
	if len(methods) == 0 {
		return refused(http.StatusNotFound, "no route of the manifest matches")
	}
	answer = refused(http.StatusMethodNotAllowed, "no route of the manifest has the method")
	answer.Header.Set("Allow", strings.Join(methods, ", "))
	return answer
}

// takeHead leaves in h what a guest may set, and returns what content-length says, -1
// for nothing, or the rule that h breaks.
func takeHead(h *abi.ResponseHead) (length int64, fault string) {
	if h.Status < 200 || h.Status > 599 {
		return 0, fmt.Sprintf("response status %d is not between 200 and 599", h.Status)
	}
	if len(h.Headers) > limits.Headers {
		return 0, fmt.Sprintf("the response has %d header fields", len(h.Headers))
	}
	for _, f := range h.Headers {
		switch {
		case !field.IsToken(f.Name):
			return 0, fmt.Sprintf("response header name %q is not a token", f.Name)
		case !field.IsValue(f.Value):
			return 0, fmt.Sprintf("response header %q has a control character", f.Name)
		}
	}
	var refused *abi.Pair
	if h.Headers, length, refused = field.FrameResponse(h.Headers); refused != nil {
		return 0, fmt.Sprintf("response header %q is the host's to set, and cannot be %q", refused.Name, refused.Value)
	}
	return length, ""
}
