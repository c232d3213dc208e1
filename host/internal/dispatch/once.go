package dispatch

import (
	"bytes"
	"context"
	"math"
	"sync"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// replayed is the outcome of an attempt that found the answer of an earlier
// request; Result shows it apart.
const replayed trace.Outcome = "replayed"

// keys holds one key for one request at a time, so that a repeat waits for the
// first and finds its answer. It spares work and is not what keeps a request
// from running twice: that is the read of its record, certified at the commit,
// which holds beyond a process as well.
type keys struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when the key is free
}

func (k *keys) lock(ctx context.Context, key string) error {
	for {
		k.mu.Lock()
		free := k.busy[key]
		if free == nil {
			if k.busy == nil {
				k.busy = map[string]chan struct{}{}
			}
			k.busy[key] = make(chan struct{})
			k.mu.Unlock()
			return nil
		}
		k.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "dispatch", "another request with the same idempotency key still runs")
		}
	}
}

func (k *keys) unlock(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.busy[key])
	delete(k.busy, key)
}

// A kept answer is one of the two forms, the digest of the request, and in the
// whole form the response head as a string, and the body.
const (
	formWhole = 1
	formBare  = 2 // the answer was over limit.Replay
)

// recordPrefix sets these records apart from others the host may come to keep.
const recordPrefix = "once/"

func recordKey(once *invoke.Once) []byte { return append([]byte(recordPrefix), once.Key...) }

// replay makes the answer kept under inv's key its reply. The outcome is ""
// when there is none.
func replay(inv *invoke.Invocation) (trace.Outcome, error) {
	once := inv.Request.Once
	record, err := inv.Tx.Record(recordKey(once))
	if err != nil {
		return trace.None, err
	}
	if record == nil {
		return "", nil
	}
	form, digest, rest, ok := splitRecord(record)
	switch {
	case !ok:
		return trace.None, errRecord
	case !bytes.Equal(digest, once.Digest[:]):
		return trace.None, fault.New(fault.Mismatch, "dispatch", "the idempotency key belongs to another request")
	case form == formBare:
		return trace.None, fault.New(fault.Done, "dispatch", "the request was carried out before; its answer was too large to be kept")
	}
	r := abi.NewReader(string(rest))
	head := r.String()
	if !r.OK() || inv.Reply.SetHead([]byte(head)) != abi.OK ||
		inv.Reply.Write(rest[4+len(head):], math.MaxInt64) != abi.OK {
		return trace.None, errRecord
	}
	return replayed, nil
}

var errRecord = fault.New(fault.Internal, "dispatch", "the record of an idempotency key is malformed; the data directory is damaged")

func splitRecord(b []byte) (form byte, digest, rest []byte, ok bool) {
	const size = 1 + len(invoke.Once{}.Digest)
	if len(b) < size || b[0] != formWhole && b[0] != formBare {
		return 0, nil, nil, false
	}
	return b[0], b[1:size], b[size:], true
}

// keep has the commit keep inv's reply under its key. What is too large is not
// kept, but that the request ran is.
func keep(inv *invoke.Invocation) error {
	once, reply := inv.Request.Once, &inv.Reply
	head := abi.AppendResponseHead(nil, &abi.ResponseHead{Status: uint32(reply.Status), Headers: reply.Headers})
	record := append([]byte{formWhole}, once.Digest[:]...)
	if len(record)+4+len(head)+len(reply.Body) > limit.Replay {
		record[0] = formBare
	} else {
		record = append(abi.AppendString(record, head), reply.Body...)
	}
	return inv.Tx.SetRecord(recordKey(once), record, once.Keep)
}
