package egress

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// answer is what became of a call.
type answer struct {
	asked  asked
	unsafe bool // the call may have changed something

	from   target            // who answered
	head   *abi.HTTPResponse // nil = the call has not ended
	failed *failure          // of the call or of its body, for good
	rest   io.ReadCloser     // what was not read of the body; nil = nothing
	got    int64             // bytes of the body that were read, decompressed
	cancel context.CancelFunc
	own    context.Context // which cancel ends

	body []byte // what was read, as far as it is kept
	cost int    // bytes that the kept part takes
	lost bool   // it cannot be given again
	cut  bool   // the guest closed it before its end
}

// take takes what came back for a call whose context is cancelled with cancel.
func (e *answer) take(from target, resp reply, failed *failure, cancel context.CancelFunc) {
	e.from, e.failed, e.cancel = from, failed, cancel
	e.head = &abi.HTTPResponse{URL: from.url.String()}
	if failed != nil {
		e.head.Failure, e.head.Reason = uint32(-failed.status), failed.reason
		e.release()
		return
	}
	e.head.Status = uint32(resp.StatusCode)
	if resp.Body != http.NoBody {
		e.rest = resp.Body
	}
	for name, values := range resp.Header {
		if field.IsHopByHop(name) {
			continue
		}
		for _, v := range values {
			e.head.Headers = append(e.head.Headers, abi.Pair{Name: strings.ToLower(name), Value: v})
		}
	}
	slices.SortStableFunc(e.head.Headers, func(a, b abi.Pair) int { return strings.Compare(a.Name, b.Name) })
}

// next reads bytes of the body that nobody has read; 0 without a failure is the
// end.
func (e *answer) next(ctx context.Context, buf []byte, most int64) (int, *failure) {
	if e.failed != nil || e.rest == nil {
		return 0, e.failed
	}
	stop := context.AfterFunc(ctx, e.cancel)
	n, err := e.read(buf, most)
	stop()
	if n > 0 {
		return n, nil // an error comes again
	}
	if !errors.Is(err, io.EOF) {
		e.failed = explain(e.from, err)
		if e.own != nil && errors.Is(context.Cause(e.own), errOff) {
			e.failed = refusedOff()
		}
	}
	e.release()
	return 0, e.failed
}

// read reads at least a byte or an error. At the limit, most bytes, it looks
// whether the body goes on.
func (e *answer) read(buf []byte, most int64) (int, error) {
	if room := most - e.got; room > 0 {
		n, err := io.ReadAtLeast(e.rest, buf[:min(int64(len(buf)), room)], 1)
		e.got += int64(n)
		return n, err
	}
	if _, err := io.ReadAtLeast(e.rest, make([]byte, 1), 1); err != nil {
		return 0, err
	}
	return 0, &failure{abi.Limit, "the response of " + e.from.String() + " is over the limit of " + limit.FormatSize(most) + " (outbound.response_body)"}
}

// release frees what the call holds of the network.
func (e *answer) release() {
	if e.rest != nil {
		_ = e.rest.Close() // the call is over either way
		e.rest = nil
	}
	if e.cancel != nil {
		e.cancel()
	}
}
