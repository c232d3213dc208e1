package prepare

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// request is the first input of the child: four bytes of length, big endian, the
// request as JSON, and the module. What follows is the end of its input when
// whoever asked is gone.
type request struct {
	Identity string         `json:"identity,omitempty"` // the program that must build; empty = the same as asks
	Allowed  allowance      `json:"allowed"`
	Options  engine.Options `json:"options"`
	Module   int            `json:"module"` // bytes
}

// maxRequest bounds the JSON of a request: a manifest's routes, mostly.
const maxRequest = 4 << 20

func writeRequest(w io.Writer, r request, module []byte) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{binary.BigEndian.AppendUint32(nil, uint32(len(text))), text, module} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// readRequest reads a request and leaves the module to be read.
func readRequest(r io.Reader) (request, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return request{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxRequest {
		return request{}, fmt.Errorf("a request of %d bytes", size)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return request{}, err
	}
	var got request
	if err := json.Unmarshal(text, &got); err != nil {
		return request{}, err
	}
	if got.Module < 0 || got.Module > limit.Module {
		return request{}, fmt.Errorf("a module of %d bytes", got.Module)
	}
	return got, nil
}

// answer is the output of the child: how the build ended.
type answer struct {
	Built   bool       `json:"built,omitempty"`
	Code    fault.Code `json:"code,omitempty"`
	Message string     `json:"message,omitempty"`
	Cause   string     `json:"cause,omitempty"` // for the operator
	Peak    int64      `json:"peak,omitempty"`  // bytes of memory that the child had at the most
}

// Bounds of an answer, in bytes.
const (
	maxAnswer  = 64 << 10
	maxMessage = 4 << 10
	maxCause   = 16 << 10
)

// answerOf tells how a build ended, within the bounds of an answer: JSON takes
// up to six bytes for one.
func answerOf(err error) answer {
	if err == nil {
		return answer{Built: true}
	}
	a := answer{Code: fault.CodeOf(err), Message: text(fault.MessageOf(err), maxMessage), Cause: text(err.Error(), maxCause)}
	for size := len(a.Cause); size > 0; size /= 2 {
		if data, _ := json.Marshal(a); len(data) < maxAnswer {
			break
		}
		a.Cause = text(a.Cause, size/2)
	}
	return a
}

// answers are the codes that a build may end with.
var answers = []fault.Code{
	fault.Invalid, fault.TooLarge, fault.Exhausted, fault.Unavailable, fault.Deadline, fault.Trap, fault.BadReply, fault.Internal,
}

// outcome returns the error that data, an answer from a process that may have
// been taken over, stands for; nil says that something was built. The peak is the
// process's word.
func outcome(data []byte) (peak int64, err error) {
	var a answer
	if err := json.Unmarshal(data, &a); err != nil {
		return 0, fmt.Errorf("its answer is not one: %w", err)
	}
	switch {
	case a == answer{Built: true, Peak: a.Peak}:
		return a.Peak, nil
	case a.Built || a.Message == "" || !slices.Contains(answers, a.Code):
		return 0, errors.New("its answer is not one")
	}
	return a.Peak, fault.Wrap(a.Code, "prepare", text(a.Message, maxMessage), errors.New(text(a.Cause, maxCause)))
}

// text makes bytes from outside something to show: UTF-8 of at most so many
// bytes, with lines and tabs, and no other control characters.
func text(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}
