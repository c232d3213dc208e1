package field

import (
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// unseen are the fields that a live run does not see: they say how a client asks and not
// what for, and nearly every client has its own, so that none would share a run.
var unseen = []string{
	"accept-encoding", "baggage", "cache-control", "dnt", "downlink", "dpr", "forwarded", "from", "last-event-id", "pragma",
	"priority", "range", "referer", "rtt", "save-data", "traceparent", "tracestate", "upgrade-insecure-requests", "user-agent", "via",
	"viewport-width", "width", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "x-request-id",
}

// LiveAddress is what a live run sees in place of its client's address.
const LiveAddress = "0.0.0.0"

// RolloutCookie is the cookie by which a roll-out knows a client; each has its own.
const RolloutCookie = "wasmoor-client"

// Live returns a field as a run of a live answer sees it, which equal requests share; false
// = it does not. The name is in lower case.
func Live(h abi.Pair) (abi.Pair, bool) {
	switch {
	case slices.Contains(unseen, h.Name), strings.HasPrefix(h.Name, "sec-"), strings.HasPrefix(h.Name, "if-"):
		return h, false
	case h.Name == "accept":
		h.Value = without(h.Value, ",", isEventStream)
	case h.Name == "cookie":
		h.Value = without(h.Value, ";", func(s string) bool { return strings.HasPrefix(strings.Trim(s, " "), RolloutCookie+"=") })
	default:
		return h, true
	}
	return h, h.Value != ""
}

// isEventStream reports whether an element of Accept names text/event-stream.
func isEventStream(element string) bool {
	kind, _, _ := strings.Cut(element, ";")
	return strings.EqualFold(strings.Trim(kind, " \t"), "text/event-stream")
}

// AcceptsEvents reports whether a client names text/event-stream among what it accepts,
// and with another weight than 0, which says that it takes none. That it takes anything is not enough: it would be left with an answer without an end.
func AcceptsEvents(headers []abi.Pair) bool {
	for _, h := range headers {
		if h.Name != "accept" {
			continue
		}
		for element := range strings.SplitSeq(h.Value, ",") {
			if isEventStream(element) && !isRefused(element) {
				return true
			}
		}
	}
	return false
}

// isRefused reports whether an element of Accept has the weight 0 (RFC 9110 §12.4.2).
func isRefused(element string) bool {
	_, parameters, _ := strings.Cut(element, ";")
	for p := range strings.SplitSeq(parameters, ";") {
		name, weight, _ := strings.Cut(strings.Trim(p, " \t"), "=")
		if strings.EqualFold(name, "q") && weight != "" && strings.Trim(weight, "0.") == "" {
			return true
		}
	}
	return false
}

// without returns a list without the elements that drop names.
func without(list, separator string, drop func(string) bool) string {
	elements := slices.DeleteFunc(strings.Split(list, separator), drop)
	return strings.Trim(strings.Join(elements, separator), " \t")
}
