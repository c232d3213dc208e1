package stream

import (
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Codes of the end of a stream (RFC 6455 §7.4.1). An event stream has them as well,
// where its end is told.
const (
	CodeNormal      = 1000
	CodeGoingAway   = 1001 // the server stops, or the page was left
	CodeProtocol    = 1002
	CodeUnsupported = 1003 // nobody takes what the client sends
	CodeNone        = 1005 // the client has closed without a code
	CodeLost        = 1006 // the client is gone, without a word
	CodeInvalid     = 1007 // text that is not UTF-8
	CodePolicy      = 1008
	CodeTooBig      = 1009
	CodeInternal    = 1011
	CodeTryAgain    = 1013 // the client reads too slowly, or nobody answers just now
)

// maxReason is how many bytes the reason of a close frame may have.
const maxReason = 123

// CutReason returns as much of a reason as a close frame takes, and nothing of one that
// is not UTF-8.
func CutReason(reason string) string {
	if !utf8.ValidString(reason) {
		return ""
	}
	if len(reason) <= maxReason {
		return reason
	}
	n := maxReason
	for n > 0 && !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// MayClose reports whether a stream may be closed with a code: those that an application
// may use, and those that say what a server has found.
func MayClose(code int) bool {
	switch code {
	case CodeNormal, CodeGoingAway, CodeProtocol, CodeUnsupported, CodeInvalid, CodePolicy, CodeTooBig, CodeInternal, 1012, CodeTryAgain:
		return true
	}
	return code >= 3000 && code <= 4999
}

// judgeClose reads the payload of a client's close frame. A problem is the code to
// answer it with, 0 = none.
func judgeClose(payload []byte) (code int, reason string, problem int) {
	switch len(payload) {
	case 0:
		return CodeNone, "", 0
	case 1:
		return 0, "", CodeProtocol
	}
	c, reason := ws.ParseCloseFrameData(payload)
	switch {
	case !utf8.ValidString(reason):
		return 0, "", CodeInvalid
	case !mayReceive(int(c)):
		return 0, "", CodeProtocol
	}
	return int(c), reason, 0
}

// mayReceive reports whether a client may close with a code. 1012 to 1014 were
// registered later than the RFC.
func mayReceive(code int) bool {
	return code == 1010 || code == 1014 || MayClose(code)
}
