package author

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

const clock = "15:04:05.000"

// heldLines bounds how many lines of a request wait for its end.
const heldLines = limit.LogLines

// devEvent is what --json writes of one thing that happened.
type devEvent struct {
	Time      time.Time        `json:"time"`
	Event     string           `json:"event"` // serves, building, changed, seeded, live, later, unchanged, failed, request, log or host
	Plugin    string           `json:"plugin,omitempty"`
	Public    string           `json:"public,omitempty"` // of serves
	Admin     string           `json:"admin,omitempty"`
	TokenFile string           `json:"token_file,omitempty"`
	File      string           `json:"file,omitempty"`    // of changed
	Version   int              `json:"version,omitempty"` // of live
	Seconds   float64          `json:"seconds,omitempty"`
	URLs      []string         `json:"urls,omitempty"`
	Keys      int              `json:"keys,omitempty"`   // of seeded
	Queues    []adminapi.Queue `json:"queues,omitempty"` // of later
	Crons     []adminapi.Cron  `json:"crons,omitempty"`
	Error     string           `json:"error,omitempty"`  // of failed and request
	Output    string           `json:"output,omitempty"` // of the build
	RequestID string           `json:"request_id,omitempty"`
	Method    string           `json:"method,omitempty"`
	Path      string           `json:"path,omitempty"`
	Status    int64            `json:"status,omitempty"`
	Millis    float64          `json:"millis,omitempty"`
	Outcome   string           `json:"outcome,omitempty"`
	Attempts  int64            `json:"attempts,omitempty"`
	Logs      []logLine        `json:"logs,omitempty"` // of request and log
	Message   string           `json:"message,omitempty"`
}

// devScreen shows an author what happens: a line for each build and each request,
// and below the latter what the guest logged. Safe for concurrent use.
type devScreen struct {
	p       *Commands
	several bool // lines name their plugin

	mu    sync.Mutex
	lines map[string][]logLine // of requests that have not ended, by request id
}

func newScreen(p *Commands, several bool) *devScreen {
	return &devScreen{p: p, several: several, lines: map[string][]logLine{}}
}

// event writes an event as JSON.
func (s *devScreen) event(e devEvent) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.p.JSONLine(e) // the terminal ends the program where nobody reads it
}

// tell writes an event: as JSON, or as text in one piece, with the plugin's name
// before each line where there are several.
func (s *devScreen) tell(e devEvent, text string) {
	if s.p.AsJSON {
		s.event(e)
		return
	}
	if s.several && e.Plugin != "" {
		name := s.p.Paint(s.p.Stderr, nameColour(e.Plugin), fmt.Sprintf("%-10s", e.Plugin)) + " | "
		text = name + strings.ReplaceAll(text, "\n", "\n"+name)
	}
	s.p.Note("%s", text)
}

// nameColour gives a name always the same colour.
func nameColour(name string) string {
	sum := 0
	for _, c := range []byte(name) {
		sum = sum*31 + int(c)
	}
	colours := []string{term.Cyan, term.Magenta, term.Blue, term.Green}
	return colours[uint(sum)%uint(len(colours))]
}

func (s *devScreen) building(name string) {
	s.tell(devEvent{Event: "building", Plugin: name}, fmt.Sprintf("%s  building %s", time.Now().Format(clock), name))
}

func (s *devScreen) changed(name, file string) {
	s.tell(devEvent{Event: "changed", Plugin: name, File: file}, fmt.Sprintf("%s  %s changed", time.Now().Format(clock), term.Printable(file)))
}

func (s *devScreen) unchanged(name string) {
	s.tell(devEvent{Event: "unchanged", Plugin: name}, "the build made the same module: nothing to swap")
}

func (s *devScreen) seeded(name string, keys int, file string) {
	text := fmt.Sprintf("keys put from %s: %d", file, keys)
	if keys == 0 {
		text = fmt.Sprintf("the store has keys already: those of %s are left out", file)
	}
	s.tell(devEvent{Event: "seeded", Plugin: name, Keys: keys}, text)
}

// failed shows why a project was not built or deployed.
func (s *devScreen) failed(name string, err error, output string, serves bool) {
	var b strings.Builder
	if output != "" {
		b.WriteString(strings.TrimRight(output, "\n") + "\n")
	}
	b.WriteString(s.p.Paint(s.p.Stderr, term.Red, "error: "+err.Error()))
	if serves {
		b.WriteString("\nthe old version goes on serving")
	}
	s.tell(devEvent{Event: "failed", Plugin: name, Error: err.Error(), Output: output}, b.String())
}

// live tells that a version serves, how long that took, and where it serves when
// that is news. It returns where.
func (s *devScreen) live(public string, o adminapi.Changed, built []project.Step, took time.Duration, shown []string) []string {
	urls := term.RouteURLs(public, o.Mount, o.Routes, o.Private)
	parts := []string{}
	for _, step := range built {
		if step.Name == "build" {
			parts = append(parts, "build "+term.Millis(step.Took))
		}
	}
	var prepared time.Duration
	for _, step := range o.Steps {
		if step.Name == "prepare" {
			prepared += step.Took()
		}
	}
	parts = append(parts, "prepare "+term.Millis(prepared))
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s %s version %d serves  %s", time.Now().Format(clock), s.p.Paint(s.p.Stderr, term.Green, "ok"), o.Plugin, o.Version,
		s.p.Paint(s.p.Stderr, term.Grey, fmt.Sprintf("%.2f s: %s", took.Seconds(), strings.Join(parts, ", "))))
	for _, notice := range o.Notices {
		b.WriteString("\n" + s.p.Paint(s.p.Stderr, term.Yellow, "notice") + " " + notice)
	}
	s.tell(devEvent{Event: "live", Plugin: o.Plugin, Version: o.Version, Seconds: took.Seconds(), URLs: urls}, b.String())
	if !s.p.AsJSON && !slices.Equal(urls, shown) {
		_, _ = io.WriteString(s.p.Stdout, strings.Join(routeTable(public, o), "\n")+"\n") // the terminal notes failures
	}
	return urls
}

// routeTable lists the routes of a plugin: the method and the URL.
func routeTable(public string, o adminapi.Changed) (lines []string) {
	if len(o.Routes) == 0 {
		return term.RouteURLs(public, o.Mount, nil, nil)
	}
	for _, route := range term.Open(o.Routes, o.Private) {
		method, _, found := strings.Cut(route, " ")
		if !found {
			method = "any"
		}
		lines = append(lines, fmt.Sprintf("%-7s %s", method, term.RouteURLs(public, o.Mount, []string{route}, nil)[0]))
	}
	return lines
}

// take shows a record of the host's log.
func (s *devScreen) take(r *record) {
	switch {
	case r.isRequest() && r.text("plugin") == "" && r.number("status") == http.StatusServiceUnavailable:
		// It waits for a build, and a browser asks again and again.
	case r.isRequest():
		s.tell(s.requestEvent(r))
	case r.isGuest && r.requestID != "":
		s.hold(r.requestID, newLogLine(r))
	case r.isGuest:
		line := newLogLine(r)
		s.tell(devEvent{Time: r.time, Event: "log", Plugin: r.text("plugin"), Logs: []logLine{line}},
			r.time.Format(clock)+"  outside of a request\n"+s.p.logText(line))
	case r.level >= slog.LevelWarn:
		s.tell(devEvent{Time: r.time, Event: "host", Plugin: r.text("plugin"), Message: r.message, Error: r.text("error")}, s.hostText(r))
	}
}

// hold keeps a guest's line until its request has ended.
func (s *devScreen) hold(id string, line logLine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines[id]) < heldLines {
		s.lines[id] = append(s.lines[id], line)
	}
}

// release returns the lines of a request that has ended.
func (s *devScreen) release(id string) []logLine {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines[id]
	delete(s.lines, id)
	return lines
}

// maxFailure bounds what a client is told of what the guest logged, in bytes.
const maxFailure = 16 << 10

// failure returns what the guest has logged as errors and warnings, which its standard
// error is too, of a request that is about to be answered.
func (s *devScreen) failure(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, line := range s.lines[id] {
		if line.Level != "error" && line.Level != "warn" || b.Len() > maxFailure {
			continue
		}
		b.WriteString(line.Message + "\n")
		for _, a := range line.Attrs {
			b.WriteString(a[0] + ": " + a[1] + "\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// requestEvent tells of a request, as "15:04:05.000  GET /hello  200  1.2 ms  committed"
// with the guest's lines below.
func (s *devScreen) requestEvent(r *record) (devEvent, string) {
	e := devEvent{
		Time: r.time, Event: "request", Plugin: r.text("plugin"), RequestID: r.requestID, Method: r.text("method"), Path: r.text("path"),
		Status: r.number("status"), Millis: float64(r.duration()) / float64(time.Millisecond), Outcome: r.text("outcome"),
		Attempts: r.number("attempts"), Error: r.text("error"), Logs: s.release(r.requestID),
	}
	return e, s.requestText(&e, r.time.Format(clock), term.Millis(r.duration()))
}

func (s *devScreen) requestText(e *devEvent, at, took string) string {
	var b strings.Builder
	status := s.p.Paint(s.p.Stderr, statusColour(e.Status), fmt.Sprintf("%3d", e.Status))
	fmt.Fprintf(&b, "%s  %-6s %-32s %s %9s  %s", at, term.Printable(e.Method), term.Printable(e.Path), status, took, term.Printable(e.Outcome))
	if e.Attempts > 1 {
		fmt.Fprintf(&b, "  %d attempts", e.Attempts)
	}
	told := func(line logLine) bool { return strings.Contains(e.Error, line.Message) && line.Level == "error" }
	if e.Error != "" && !slices.ContainsFunc(e.Logs, told) {
		b.WriteString("\n" + s.p.Paint(s.p.Stderr, term.Red, "    "+term.Indented(e.Error, "    ")))
	}
	for _, line := range e.Logs {
		b.WriteString("\n" + s.p.logText(line))
	}
	if len(e.Logs) == heldLines {
		b.WriteString("\n    further lines were dropped")
	}
	return b.String()
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
