package invoke

import (
	"cmp"
	"fmt"
	"unsafe"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Reply is the answer a guest builds. What the guest writes is checked as it
// arrives: a rule it breaks is remembered, so that a guest that ignores the
// status it got cannot send half an answer.
type Reply struct {
	Status  int
	Headers []abi.Pair // whose strings are good until another invocation begins
	Body    []byte
	// Blob, if not nil, is the body in place of Body, which is empty. Whoever sends it
	// releases it; what is left the next attempt releases.
	Blob *blob.Answer
	// Length is what the guest's content-length says, -1 = it says nothing. Where a
	// body is sent it has that length, or the reply has a Fault.
	Length int64

	toHead    bool       // it answers HEAD
	text      []byte     // what Headers are parts of
	spare     []abi.Pair // takes the next head, so that a refused one changes nothing
	spareText []byte
	headFault string // why the last head was refused; a good one clears it
	bodyFault string
}

func (r *Reply) reset(method string) {
	r.Status, r.Length = 200, -1
	r.toHead = method == "HEAD"
	r.Headers = r.Headers[:0]
	r.Body = r.Body[:0]
	r.headFault, r.bodyFault = "", ""
	r.SetBlob(nil)
	if cap(r.text)+cap(r.spareText) > keptText {
		r.text, r.spareText = nil, nil
	}
}

// keptText bounds the memory for heads that a reply keeps for the next one.
const keptText = 8 << 10

// Refused says why the host refused the last head or a part of the body, "" when
// it did not.
func (r *Reply) Refused() string { return cmp.Or(r.headFault, r.bodyFault) }

// Fault says which rule the reply breaks, "" when none.
func (r *Reply) Fault() string {
	switch {
	case r.Refused() != "":
		return r.Refused()
	case r.Blob != nil && len(r.Body) > 0:
		return "response has a body of its own and a blob for one"
	case r.Length >= 0 && r.Length != r.Size() && !r.IsLengthOnly():
		return fmt.Sprintf(`response header "content-length" says %d, and the body has %d bytes`, r.Length, r.Size())
	}
	return ""
}

// Size returns how many bytes the body has, those of a blob too.
func (r *Reply) Size() int64 {
	if r.Blob != nil {
		return r.Blob.Size
	}
	return int64(len(r.Body))
}

// IsLengthOnly reports whether the reply may have the length of a body that is not
// sent (RFC 9110 §8.6): it is 304, or answers HEAD and the guest wrote none. What
// 204 and 205 say of their length is sent nowhere.
func (r *Reply) IsLengthOnly() bool {
	switch r.Status {
	case 204, 205, 304:
		return true
	}
	return r.toHead && r.Size() == 0
}

// SetHead takes the guest's status and header in the layout of
// abi.ResponseHead, which it copies. A later head replaces an earlier one;
// replies of which the last head was refused have a Fault.
func (r *Reply) SetHead(layout []byte) abi.Status {
	if len(layout) > limit.ResponseHead {
		r.headFault = fmt.Sprintf("response head of %d bytes is over the limit of %d", len(layout), limit.ResponseHead)
		return abi.Limit
	}
	head := abi.ResponseHead{Headers: r.spare}
	r.spareText = append(r.spareText[:0], layout...)
	if !abi.DecodeResponseHead(unsafe.String(unsafe.SliceData(r.spareText), len(layout)), &head) {
		r.headFault = "response head is cut short"
		return abi.Invalid
	}
	length, fault := takeHead(&head)
	if fault != "" {
		r.headFault = fault
		return abi.Invalid
	}
	r.headFault, r.Length = "", length
	r.Status, r.Headers, r.spare = int(head.Status), head.Headers, r.Headers[:0]
	r.text, r.spareText = r.spareText, r.text
	return abi.OK
}

// LoseHead notes that the guest called for a head the host could not read. It
// counts as a head that was refused.
func (r *Reply) LoseHead(why string) { r.headFault = why }

// LosePart notes that the guest wrote a part of the body the host could not
// read: the body is not whole any more, whatever follows.
func (r *Reply) LosePart(why string) { r.bodyFault = why }

// Write appends a copy of data to the body, which may have max bytes.
func (r *Reply) Write(data []byte, max int64) abi.Status {
	if int64(len(r.Body))+int64(len(data)) > max {
		r.bodyFault = fmt.Sprintf("response body is over the limit of %d bytes (limits.response_body)", max)
		return abi.Limit
	}
	r.Body = append(r.Body, data...)
	return abi.OK
}

// takeHead leaves in h what the guest may set, and returns what content-length says.
func takeHead(h *abi.ResponseHead) (length int64, fault string) {
	if h.Status < 200 || h.Status > 599 {
		return 0, fmt.Sprintf("response status %d is not between 200 and 599", h.Status)
	}
	if len(h.Headers) > limit.Headers {
		return 0, fmt.Sprintf("response has %d header fields, over the limit of %d", len(h.Headers), limit.Headers)
	}
	for _, f := range h.Headers {
		switch {
		case !field.IsToken(f.Name):
			return 0, fmt.Sprintf("response header name %.64q is not a token", f.Name)
		case !field.IsValue(f.Value):
			return 0, fmt.Sprintf("value of response header %.64q has a control character", f.Name)
		}
	}
	var refused *abi.Pair
	if h.Headers, length, refused = field.FrameResponse(h.Headers); refused != nil {
		return 0, fmt.Sprintf("response header %.64q is the host's to set, and cannot be %.64q", refused.Name, refused.Value)
	}
	return length, ""
}
