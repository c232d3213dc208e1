package sdktest

import (
	"cmp"
	"crypto/rand"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/abi/limits"
)

// headOf returns the head of a request as a guest gets it.
func (h *Host) headOf(r *http.Request, size int) abi.RequestHead {
	remote, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		remote = r.RemoteAddr
	}
	head := abi.RequestHead{
		Method: r.Method, Path: cmp.Or(r.URL.EscapedPath(), "/"), Mount: h.Mount, Query: r.URL.RawQuery,
		Headers: headersOf(r), Scheme: "http", Host: r.Host, Remote: remote,
		RequestID: requestID(r), BodySize: uint64(size), Trigger: cmp.Or(h.Trigger, abi.TriggerHTTP), Attributes: h.attributes(),
		Deadline: h.Now.Add(cmp.Or(h.Deadline, limits.Deadline)).UnixNano(),
	}
	if r.TLS != nil {
		head.Scheme = "https"
	}
	return head
}

func (h *Host) attributes() (list []abi.Pair) {
	bytes := 0
	for _, name := range slices.Sorted(maps.Keys(h.Attributes)) {
		list = append(list, abi.Pair{Name: name, Value: h.Attributes[name]})
		bytes += len(name) + len(h.Attributes[name])
	}
	if len(list) > limits.Attributes || bytes > limits.AttributesBytes {
		panic("sdktest: " + strconv.Itoa(len(list)) + " attributes of " + strconv.Itoa(bytes) + " bytes are more than a host sets")
	}
	return list
}

// headersOf returns the fields that a guest sees: host, and those that are
// neither the connection's nor what anybody may write of proxies.
func headersOf(r *http.Request) []abi.Pair {
	var list []abi.Pair
	if r.Host != "" {
		list = append(list, abi.Pair{Name: "host", Value: r.Host})
	}
	options := strings.Split(strings.ToLower(strings.Join(r.Header.Values("Connection"), ",")), ",")
	for _, name := range sortedNames(r.Header) {
		lower := strings.ToLower(name)
		nominated := slices.ContainsFunc(options, func(o string) bool { return strings.TrimSpace(o) == lower })
		if nominated || field.IsHopByHop(lower) || field.IsForwarded(lower) {
			continue
		}
		for _, v := range r.Header[name] {
			list = append(list, abi.Pair{Name: lower, Value: v})
		}
	}
	return list
}

func sortedNames(header http.Header) []string {
	return slices.Sorted(maps.Keys(header))
}

// requestID is the client's own if it is a token of bearable length.
func requestID(r *http.Request) string {
	const most = 128
	if id := r.Header.Get("X-Request-Id"); len(id) <= most && field.IsToken(id) {
		return id
	}
	return rand.Text()
}

// ambiguous reports whether a path may be read in two ways, so that the host
// answers 400. An encoded slash is judged by hasSlash.
func ambiguous(path string) bool {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range segments {
		text, err := url.PathUnescape(segment)
		if err != nil || segment == "" && i < len(segments)-1 || strings.ContainsFunc(text, isOdd) {
			return true
		}
		parts := strings.Split(text, "/")
		if slices.Contains(parts, ".") || slices.Contains(parts, "..") {
			return true
		}
	}
	return false
}

func isOdd(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }

// hasSlash reports whether a path has an encoded slash.
func hasSlash(path string) bool {
	return strings.Contains(path, "%2F") || strings.Contains(path, "%2f")
}
