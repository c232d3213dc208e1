package author

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

const clock = "15:04:05.000"

// heldLines bounds how many lines of a request wait for its end; a request that
// logs more shows them as they come.
const heldLines = 50

// devScreen shows a host's records to the author: a line for each request, and
// below it what the guest logged. Safe for concurrent use.
type devScreen struct {
	p *Commands

	mu    sync.Mutex
	lines map[string][]string // of requests that have not ended, by request id
}

func (s *devScreen) take(r *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.isRequest():
		held := s.lines[r.requestID]
		delete(s.lines, r.requestID)
		s.write(append([]string{s.requestText(r)}, held...))
	case r.isGuest():
		s.hold(r)
	case r.level >= slog.LevelWarn:
		s.write([]string{s.hostText(r)})
	}
}

// hold keeps a guest's line until its request has ended.
func (s *devScreen) hold(r *record) {
	held := append(s.lines[r.requestID], s.p.logText(newLogLine(r)))
	if len(held) > heldLines {
		s.write(held)
		held = nil
	}
	s.lines[r.requestID] = held
}

func (s *devScreen) write(lines []string) {
	_, _ = io.WriteString(s.p.Stderr, strings.Join(lines, "\n")+"\n")
}

// requestText is "15:04:05.000  GET /hello  200  1.2 ms  committed".
func (s *devScreen) requestText(r *record) string {
	status := fmt.Sprintf("%3d", r.number("status"))
	text := fmt.Sprintf("%s  %-6s %-32s %s %9s  %s", r.time.Format(clock), term.Printable(r.text("method")), term.Printable(r.text("path")),
		s.p.Paint(s.p.Stderr, statusColour(r.number("status")), status), term.Millis(r.duration()), term.Printable(r.text("outcome")))
	if n := r.number("attempts"); n > 1 {
		text += fmt.Sprintf("  after %d conflicts", n-1)
	}
	if why := r.text("error"); why != "" {
		text += "\n    " + s.p.Paint(s.p.Stderr, term.Red, term.Printable(why))
	}
	return text
}

// hostText shows a record of the host itself.
func (s *devScreen) hostText(r *record) string {
	text := fmt.Sprintf("%s  host: %s", r.time.Format(clock), term.Printable(r.message))
	if why := r.text("error"); why != "" {
		text += ": " + term.Printable(why)
	}
	return s.p.Paint(s.p.Stderr, term.Yellow, text)
}

// duration returns the attribute that says how long a request took.
func (r *record) duration() time.Duration {
	v := r.attrs["ms"].Resolve()
	if v.Kind() != slog.KindFloat64 {
		return 0
	}
	return time.Duration(v.Float64() * float64(time.Millisecond))
}
