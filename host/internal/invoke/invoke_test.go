package invoke

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

func begun() *Invocation {
	inv := &Invocation{
		Env:     &Env{Limits: limit.Default()},
		Request: &Request{Head: abi.RequestHead{Method: "GET", Path: "/", RequestID: "r1"}},
	}
	inv.Begin(1, inv.Env.Limits, nil)
	return inv
}

func head(status uint32, headers ...abi.Pair) []byte {
	return abi.AppendResponseHead(nil, &abi.ResponseHead{Status: status, Headers: headers})
}

func TestSetHead(t *testing.T) {
	many := make([]abi.Pair, limit.Headers+1)
	for i := range many {
		many[i] = abi.Pair{Name: "x"}
	}
	for _, test := range []struct {
		name   string
		layout []byte
		want   abi.Status
		fault  string // part of Reply.Fault
	}{
		{"status alone", head(204), abi.OK, ""},
		{"headers", head(200, abi.Pair{Name: "Set-Cookie", Value: "a=1"}, abi.Pair{Name: "Set-Cookie", Value: "b=2"}), abi.OK, ""},
		{"tab and UTF-8 in a value", head(200, abi.Pair{Name: "x", Value: "a\tü"}), abi.OK, ""},
		{"most headers", head(200, many[:limit.Headers]...), abi.OK, ""},
		{"later fields", append(head(200), 1, 2, 3), abi.OK, ""},
		{"lowest status", head(200), abi.OK, ""},
		{"highest status", head(599), abi.OK, ""},
		{"empty", nil, abi.Invalid, "cut short"},
		{"cut", head(200, abi.Pair{Name: "x", Value: "y"})[:12], abi.Invalid, "cut short"},
		{"status 0", head(0), abi.Invalid, "status 0"},
		{"status 100", head(100), abi.Invalid, "status 100"},
		{"status 199", head(199), abi.Invalid, "status 199"},
		{"status 600", head(600), abi.Invalid, "status 600"},
		{"status 999", head(999), abi.Invalid, "status 999"},
		{"largest status", head(1<<32 - 1), abi.Invalid, "status 4294967295"},
		{"too many headers", head(200, many...), abi.Invalid, "101 header fields"},
		{"empty name", head(200, abi.Pair{}), abi.Invalid, "token"},
		{"CRLF in a name", head(200, abi.Pair{Name: "x\r\nset-cookie"}), abi.Invalid, "token"},
		{"space in a name", head(200, abi.Pair{Name: "x y"}), abi.Invalid, "token"},
		{"colon in a name", head(200, abi.Pair{Name: "x:"}), abi.Invalid, "token"},
		{"CRLF in a value", head(200, abi.Pair{Name: "x", Value: "a\r\nb: c"}), abi.Invalid, "control"},
		{"NUL in a value", head(200, abi.Pair{Name: "x", Value: "\x00"}), abi.Invalid, "control"},
		{"DEL in a value", head(200, abi.Pair{Name: "x", Value: "\x7f"}), abi.Invalid, "control"},
		{"another coding", head(200, abi.Pair{Name: "transfer-encoding", Value: "gzip, chunked"}), abi.Invalid, `"transfer-encoding" is the host's to set, and cannot be "gzip, chunked"`},
		{"length that is none", head(200, abi.Pair{Name: "Content-Length", Value: "-1"}), abi.Invalid, `"Content-Length" is the host's to set, and cannot be "-1"`},
		{"two lengths", head(200, abi.Pair{Name: "content-length", Value: "0"}, abi.Pair{Name: "content-length", Value: "1"}), abi.Invalid, `cannot be "1"`},
		{"wrong length", head(200, abi.Pair{Name: "content-length", Value: "7"}), abi.OK, `"content-length" says 7, and the body has 0 bytes`},
		{"too large", head(200, abi.Pair{Name: "x", Value: strings.Repeat("v", limit.ResponseHead)}), abi.Limit, "over the limit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inv := begun()
			if got := inv.Reply.SetHead(test.layout); got != test.want {
				t.Errorf("SetHead: got %v, want %v", got, test.want)
			}
			got := inv.Reply.Fault()
			if (got == "") != (test.fault == "") || !strings.Contains(got, test.fault) {
				t.Errorf("Fault: got %q, want %q", got, test.fault)
			}
		})
	}
}

func TestLastHeadStands(t *testing.T) {
	inv := begun()
	first := abi.Pair{Name: "x", Value: "first"}
	if s := inv.Reply.SetHead(head(201, first)); s != abi.OK {
		t.Fatalf("SetHead: %v", s)
	}
	if s := inv.Reply.SetHead(head(202, abi.Pair{Name: "y", Value: "second"}, abi.Pair{Name: "\n"})); s != abi.Invalid {
		t.Fatalf("SetHead of a bad head: got %v, want %v", s, abi.Invalid)
	}
	if inv.Reply.Status != 201 || !cmp.Equal(inv.Reply.Headers, []abi.Pair{first}) {
		t.Errorf("a refused head changed the reply to %d %v", inv.Reply.Status, inv.Reply.Headers)
	}
	if inv.Reply.Fault() == "" {
		t.Error("a refused head left no fault")
	}
	third := abi.Pair{Name: "z", Value: "third"}
	if s := inv.Reply.SetHead(head(203, third)); s != abi.OK {
		t.Fatalf("SetHead: %v", s)
	}
	if inv.Reply.Status != 203 || !cmp.Equal(inv.Reply.Headers, []abi.Pair{third}) || inv.Reply.Fault() != "" {
		t.Errorf("got %d %v with fault %q, want the third head", inv.Reply.Status, inv.Reply.Headers, inv.Reply.Fault())
	}
}

func TestSetHeadCopies(t *testing.T) {
	layout := head(200, abi.Pair{Name: "x", Value: "value"})
	inv := begun()
	if s := inv.Reply.SetHead(layout); s != abi.OK {
		t.Fatalf("SetHead: %v", s)
	}
	clear(layout)
	if got := inv.Reply.Headers[0]; got != (abi.Pair{Name: "x", Value: "value"}) {
		t.Errorf("after the guest's memory changed: %q", got)
	}
}

func TestWrite(t *testing.T) {
	inv := begun()
	for _, step := range []struct {
		data string
		want abi.Status
	}{{"abc", abi.OK}, {"", abi.OK}, {"defg", abi.Limit}, {"de", abi.OK}, {"f", abi.Limit}} {
		if got := inv.Reply.Write([]byte(step.data), 5); got != step.want {
			t.Errorf("Write(%q): got %v, want %v", step.data, got, step.want)
		}
	}
	if got := string(inv.Reply.Body); got != "abcde" {
		t.Errorf("body: got %q, want %q", got, "abcde")
	}
	if s := inv.Reply.SetHead(head(200)); s != abi.OK || inv.Reply.Fault() == "" {
		t.Error("a good head must not heal a body that is not whole")
	}
}

func TestLostParts(t *testing.T) {
	inv := begun()
	inv.Reply.LoseHead("lost head")
	if got := inv.Reply.Fault(); got != "lost head" {
		t.Errorf("fault of a lost head: %q", got)
	}
	if s := inv.Reply.SetHead(head(200)); s != abi.OK || inv.Reply.Fault() != "" {
		t.Errorf("a good head: %v, fault %q", s, inv.Reply.Fault())
	}
	inv.Reply.LosePart("lost part")
	if s := inv.Reply.SetHead(head(200)); s != abi.OK || inv.Reply.Fault() != "lost part" {
		t.Errorf("a good head after a lost part: %v, fault %q", s, inv.Reply.Fault())
	}
	inv.Begin(2, inv.Env.Limits, nil)
	if got := inv.Reply.Fault(); got != "" {
		t.Errorf("fault of the next attempt: %q", got)
	}
}

func TestCommits(t *testing.T) {
	for _, test := range []struct {
		outcome uint32
		status  int
		want    bool
	}{
		{abi.OutcomeDefault, 200, true},
		{abi.OutcomeDefault, 499, true},
		{abi.OutcomeDefault, 500, false},
		{abi.OutcomeDefault, 599, false},
		{abi.OutcomeCommit, 500, true},
		{abi.OutcomeAbort, 200, false},
	} {
		inv := begun()
		inv.Outcome, inv.Reply.Status = test.outcome, test.status
		if got := inv.Commits(); got != test.want {
			t.Errorf("outcome %d, status %d: got %v, want %v", test.outcome, test.status, got, test.want)
		}
	}
}

func TestBeginForgetsTheLastAttempt(t *testing.T) {
	inv := begun()
	first := bytes.Clone(inv.Head())
	for _, s := range []abi.Status{
		inv.Reply.SetHead(head(503, abi.Pair{Name: "x"})),
		inv.Reply.Write([]byte("body"), 4),
	} {
		if s != abi.OK {
			t.Fatalf("got %v", s)
		}
	}
	if s := inv.Reply.SetHead(nil); s != abi.Invalid {
		t.Fatalf("SetHead: %v", s)
	}
	inv.Outcome, inv.Pattern = abi.OutcomeAbort, "GET /"
	inv.Begin(2, inv.Env.Limits, nil)
	if inv.Reply.Status != 200 || len(inv.Reply.Headers) != 0 || len(inv.Reply.Body) != 0 || inv.Reply.Fault() != "" {
		t.Errorf("reply: %+v", inv.Reply)
	}
	if inv.Outcome != abi.OutcomeDefault || inv.Pattern != "" {
		t.Errorf("outcome %d, pattern %q", inv.Outcome, inv.Pattern)
	}
	if bytes.Equal(first, inv.Head()) {
		t.Error("the second attempt reads the head of the first")
	}
}

func TestAttemptsDoNotAllocate(t *testing.T) {
	inv := begun()
	layout, body := head(200, abi.Pair{Name: "content-type", Value: "text/plain"}), make([]byte, 1024)
	allocs := testing.AllocsPerRun(100, func() {
		inv.Begin(1, inv.Env.Limits, nil)
		inv.Head()
		if inv.Reply.SetHead(layout) != abi.OK || inv.Reply.Write(body, 1<<20) != abi.OK {
			t.Error("refused")
		}
	})
	if allocs > 1 { // the copy of the response head
		t.Errorf("got %v allocations, want 1", allocs)
	}
}

func TestLog(t *testing.T) {
	var text bytes.Buffer
	inv := begun()
	inv.Env.Log = slog.New(slog.NewTextHandler(&text, nil))
	for range limit.LogLines + 5 {
		inv.Log(slog.LevelInfo, "forged\nlevel=ERROR", slog.String("request_id", "forged"))
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != limit.LogLines+1 {
		t.Fatalf("got %d lines, want %d and a note", len(lines), limit.LogLines)
	}
	if want := `msg="forged\nlevel=ERROR" request_id=r1 guest.request_id=forged`; !strings.HasSuffix(lines[0], want) {
		t.Errorf("got %q, want %q", lines[0], want)
	}
	if last := lines[limit.LogLines]; !strings.Contains(last, "level=WARN") || !strings.Contains(last, "dropped") {
		t.Errorf("note: got %q", last)
	}
	text.Reset()
	for range 2 {
		inv.End()
	}
	if got := text.String(); strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "level=WARN msg=\"lines of the guest were dropped\" request_id=r1 lines=5\n") {
		t.Errorf("at the end: got %q", got)
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		in   string
		size int
		want string
	}{
		{"", 4, ""},
		{"abc", 4, "abc"},
		{"abcd", 4, "abcd"},
		{"abcde", 4, "abcd"},
		{"abcé", 4, "abc"},
		{"aé", 3, "aé"},
		{"\U0001F600", 3, ""},
		{"a\xffb", 8, "a\uFFFDb"},
		{"\xff\xfea", 3, "\uFFFD"},
	} {
		if got := Cut(test.in, test.size); got != test.want {
			t.Errorf("Cut(%q, %d): got %q, want %q", test.in, test.size, got, test.want)
		}
	}
}

func FuzzSetHead(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(head(200))
	f.Add(head(302, abi.Pair{Name: "location", Value: "/"}, abi.Pair{Name: "set-cookie", Value: "a=b; path=/"}))
	f.Add(head(200, abi.Pair{Name: "x\r\ny", Value: "z"}))
	f.Add([]byte("\xc8\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, layout []byte) {
		inv := begun()
		s := inv.Reply.SetHead(layout)
		if (s == abi.OK) != (inv.Reply.Fault() == "") {
			t.Fatalf("status %v with fault %q", s, inv.Reply.Fault())
		}
		if fault := inv.Reply.Fault(); len(fault) > 1024 || !utf8.ValidString(fault) {
			t.Fatalf("fault of %d bytes: %.100q", len(fault), fault)
		}
		if inv.Reply.Status < 200 || inv.Reply.Status > 599 || len(inv.Reply.Headers) > limit.Headers {
			t.Fatalf("status %d with %d fields", inv.Reply.Status, len(inv.Reply.Headers))
		}
		for _, h := range inv.Reply.Headers {
			if h.Name == "" || strings.ContainsAny(h.Name+h.Value, "\r\n\x00") || strings.Contains(h.Name, ":") {
				t.Fatalf("accepted %q", h)
			}
		}
	})
}

func FuzzCut(f *testing.F) {
	f.Add("abcé", 4)
	f.Add("\xff\xfe\xfd", 1)
	f.Fuzz(func(t *testing.T, s string, size int) {
		size = min(max(size, -size, 0), 1<<20)
		if got := Cut(s, size); len(got) > size || !utf8.ValidString(got) {
			t.Fatalf("Cut(%q, %d): got %q", s, size, got)
		}
	})
}

func TestCheckAttributes(t *testing.T) {
	many := make([]abi.Pair, limit.Attributes+1)
	large := strings.Repeat("v", limit.AttributesBytes-1)
	for _, c := range []struct {
		name  string
		pairs []abi.Pair
		ok    bool
	}{
		{"none", nil, true},
		{"most", many[1:], true},
		{"one more", many, false},
		{"largest", []abi.Pair{{Name: "a", Value: large}}, true},
		{"a byte more", []abi.Pair{{Name: "ab", Value: large}}, false},
	} {
		r := Request{Head: abi.RequestHead{Attributes: c.pairs}}
		if err := r.CheckAttributes(); (err == nil) != c.ok {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// frozenWorld is a World in which nothing happens.
type frozenWorld struct{ World }

func (frozenWorld) Now() time.Time { return time.Unix(7, 0) }

// TestWorld checks that a guest perceives the invocation's world where it has
// one of its own, and else the machine's.
func TestWorld(t *testing.T) {
	inv := &Invocation{Env: &Env{World: frozenWorld{Machine}}}
	if got := inv.World().Now(); !got.Equal(time.Unix(7, 0)) {
		t.Errorf("Now is %v, not that of the invocation's world", got)
	}
	own := (&Invocation{Env: &Env{}}).World()
	if got := own.Now(); time.Since(got).Abs() > time.Hour || own.Uptime() < time.Second {
		t.Errorf("an invocation without a world has the time %v, up for %v", got, own.Uptime())
	}
}

// TestAnAttemptPerceivesWhatTheFirstDid: the same random bytes, however they are
// drawn, and the same times; the next request others.
func TestAnAttemptPerceivesWhatTheFirstDid(t *testing.T) {
	inv := &Invocation{Env: &Env{}, Request: &Request{}}
	perceive := func(attempt, readings int) (drawn string, times []time.Time) {
		inv.Begin(attempt, limit.Limits{}, nil)
		w := inv.World()
		for _, size := range []int{0, 3, 32, 8, 5000} {
			buf := make([]byte, size)
			w.Random(buf)
			drawn += string(buf)
		}
		for range readings {
			times = append(times, w.Now())
		}
		return drawn, times
	}
	drawn, times := perceive(1, 3)
	again, later := perceive(2, 2*maxTimes)
	if again != drawn || !slices.Equal(later[:3], times) {
		t.Errorf("the second attempt drew the same: %t, and read %v after %v", again == drawn, later[:3], times)
	}
	if !slices.IsSortedFunc(later, time.Time.Compare) || time.Since(later[len(later)-1]).Abs() > time.Hour {
		t.Error("the clock goes back, or stands")
	}
	third, last := perceive(3, 2*maxTimes)
	if third != drawn || !slices.Equal(last[:maxTimes], later[:maxTimes]) || last[maxTimes].Before(later[maxTimes]) {
		t.Error("the third attempt perceives something else")
	}
	if other, _ := perceive(1, 0); other == drawn {
		t.Error("another request draws the same")
	}
	if inv.Begin(2, limit.Limits{}, nil); !inv.World().Now().After(times[2]) {
		t.Error("another request reads the same times")
	}
	buf := make([]byte, 16)
	allocs := testing.AllocsPerRun(100, func() {
		inv.Begin(1, limit.Limits{}, nil)
		inv.World().Random(buf)
		inv.World().Now()
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestMachine(t *testing.T) {
	if got := Machine.Now(); time.Since(got).Abs() > time.Hour {
		t.Errorf("Now is %v", got)
	}
	before := Machine.Uptime()
	if err := Machine.Sleep(t.Context(), time.Millisecond); err != nil {
		t.Error(err)
	}
	if after := Machine.Uptime(); before < time.Second || after-before < time.Millisecond {
		t.Errorf("the uptime is %v, and %v after a millisecond", before, after)
	}
	buf := make([]byte, 32)
	if Machine.Random(buf); bytes.Count(buf, []byte{0}) == len(buf) {
		t.Error("random bytes are all 0")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Machine.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("sleeping within an ended context: %v", err)
	}
}

// TestTheClockOfTheEnvironment is what the wall clock of an invocation shows, and
// shows again to another attempt.
func TestTheClockOfTheEnvironment(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	inv := &Invocation{Env: &Env{Clock: func() time.Time { now = now.Add(time.Hour); return now }}, Request: &Request{}}
	var first time.Time
	for attempt := 1; attempt < 3; attempt++ {
		inv.Begin(attempt, limit.Limits{}, nil)
		got := inv.World().Now()
		if attempt == 1 {
			first = got
		}
		if got.Year() != 2030 || !got.Equal(first) {
			t.Errorf("attempt %d reads %v, the first %v", attempt, got, first)
		}
	}
}
