package egress

// Trace is what of a request goes along with the calls made for it. A stranger
// wrote it: a traceparent that is none is left out, and so is a tracestate
// without one, or of more than 512 bytes (W3C Trace Context §3.3.1.5). Else a
// header too large for the services would tell against them.
type Trace struct {
	RequestID   string
	Traceparent string // "" = none
	Tracestate  string
	Host        string // of the request; a guest that passes it on asks for nothing
}

const maxTracestate = 512

// checked returns what of t may be sent.
func (t Trace) checked() Trace {
	switch {
	case !isTraceparent(t.Traceparent):
		t.Traceparent, t.Tracestate = "", ""
	case len(t.Tracestate) > maxTracestate:
		t.Tracestate = ""
	}
	return t
}

// Of a traceparent, VERSION-TRACE-PARENT-FLAGS in hexadecimal. Versions to come
// may put more after it.
const (
	traceparentForm = "00-00000000000000000000000000000000-0000000000000000-00"
	maxTraceparent  = 128
)

func isTraceparent(s string) bool {
	const size = len(traceparentForm)
	if len(s) < size || len(s) > maxTraceparent || len(s) > size && (s[:2] == "00" || s[size] != '-') {
		return false
	}
	for i := range size {
		hex := s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'f'
		if dash := traceparentForm[i] == '-'; dash && s[i] != '-' || !dash && !hex {
			return false
		}
	}
	return s[:2] != "ff"
}
