package prepare

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Whatever the answer, its reader makes of it that something was built, or a
// bounded error of a known code that is safe to show.
func FuzzOutcome(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", "[]", `{"built":true}`, `{"built":true,"message":"x"}`, `{"code":"trap","message":"it trapped","cause":"\u001b[2J"}`,
		`{"code":"denied","message":"x"}`, `{"code":"invalid","message":""}`, "{\"code\":\"invalid\",\"message\":\"\xff\x1b\"}", `{"built":true}{"built":true}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := outcome(data)
		if err == nil {
			var a answer
			if json.Unmarshal(data, &a) != nil || !a.Built {
				t.Fatalf("%q says that something was built", data)
			}
			return
		}
		err = asFault(err)
		message := fault.MessageOf(err)
		if message == "" || len(message) > maxMessage || !utf8.ValidString(message) || strings.ContainsAny(message, "\x1b\x00\r") {
			t.Errorf("%q becomes the message %q", data, message)
		}
		switch fault.CodeOf(err) {
		case fault.Denied, fault.Conflict, fault.Unknown, fault.NotFound, "":
			t.Errorf("%q becomes the code %q", data, fault.CodeOf(err))
		}
	})
}

func TestAnswersAreUnderstood(t *testing.T) {
	long := strings.Repeat("\x1b\"\xff", maxAnswer)
	for name, err := range map[string]error{
		"nothing":  nil,
		"a fault":  fault.Wrap(fault.Trap, "initialise", "the guest trapped", errors.New("unreachable\n\tat main")),
		"no fault": errors.New("disk on fire"),
		"long":     fault.Wrap(fault.Invalid, long, long, errors.New(long)),
	} {
		t.Run(name, func(t *testing.T) {
			data, failed := json.Marshal(answerOf(err))
			if failed != nil || len(data) > maxAnswer {
				t.Fatalf("an answer of %d bytes, %v", len(data), failed)
			}
			_, got := outcome(data)
			if fault.CodeOf(got) != fault.CodeOf(err) || err != nil && fault.MessageOf(got) != text(fault.MessageOf(err), maxMessage) {
				t.Errorf("%.200v came as %.200v", err, got)
			}
		})
	}
}
