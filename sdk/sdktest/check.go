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

// checkHead returns the rule a response head breaks, "" if none.
func checkHead(h *abi.ResponseHead) string {
	if h.Status < 200 || h.Status > 599 {
		return fmt.Sprintf("response status %d is not between 200 and 599", h.Status)
	}
	if len(h.Headers) > limits.Headers {
		return fmt.Sprintf("the response has %d header fields", len(h.Headers))
	}
	for _, f := range h.Headers {
		switch {
		case !field.IsToken(f.Name):
			return fmt.Sprintf("response header name %q is not a token", f.Name)
		case field.IsHopByHop(f.Name):
			return fmt.Sprintf("response header %q is the host's to set", f.Name)
		case !field.IsValue(f.Value):
			return fmt.Sprintf("response header %q has a control character", f.Name)
		}
	}
	return ""
}
