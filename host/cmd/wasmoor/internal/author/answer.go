package author

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// answer is the result of a call, as --json shows it.
type answer struct {
	Status     int         `json:"status"`
	Headers    [][2]string `json:"headers"`
	Body       *string     `json:"body,omitempty"`
	BodyBase64 *string     `json:"body_base64,omitempty"` // instead of body when it is not UTF-8
	Outcome    string      `json:"outcome"`
	Attempts   int64       `json:"attempts"`
	Millis     float64     `json:"millis"`
	Logs       []logLine   `json:"logs"`
	Notices    []string    `json:"notices,omitempty"` // what requests pay for how the version initialises

	body   []byte
	routes []string // of the plugin; none = its whole mount
}

// logLine is one line that the guest wrote.
type logLine struct {
	Level   string      `json:"level"`
	Message string      `json:"message"`
	Attrs   [][2]string `json:"attrs,omitempty"`
}

// send performs the request at the plugin's mount.
func send(ctx context.Context, public string, mount plugin.Mount, request *http.Request) (*answer, error) {
	base, err := url.Parse(public)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "call", "", err)
	}
	request = request.WithContext(ctx)
	request.URL.Host = base.Host
	if host := mount.Host(); host != "" && request.Host == "" {
		request.Host = host
	}
	request.URL, err = base.Parse(mount.Prefix() + request.URL.RequestURI())
	if err != nil {
		return nil, cli.Usage("--path: %v", err)
	}
	transport := &http.Transport{DialContext: (&net.Dialer{}).DialContext, DisableCompression: true}
	defer transport.CloseIdleConnections()
	start := time.Now()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "call", "", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, limit.Maximum().ResponseBody+1))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "call", "the answer was cut short", err)
	}
	return newAnswer(response, body, time.Since(start)), nil
}

func newAnswer(response *http.Response, body []byte, took time.Duration) *answer {
	got := &answer{
		Status: response.StatusCode, Headers: sortedHeader(response.Header), Logs: []logLine{},
		Outcome: "unknown", Millis: float64(took.Microseconds()) / 1000, body: body,
	}
	if utf8.Valid(body) {
		text := string(body)
		got.Body = &text
	} else {
		text := base64.StdEncoding.EncodeToString(body)
		got.BodyBase64 = &text
	}
	return got
}

// recordTime bounds the wait for the record of a request that was answered.
const recordTime = 2 * time.Second

// addRecords takes the guest's lines and the outcome from the host's log. The
// record of the request is written about when its response leaves.
func (a *answer) addRecords(ctx context.Context, records <-chan *record) {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-records:
			switch {
			case r.isRequest():
				a.Outcome, a.Attempts = cmp.Or(r.text("outcome"), "none"), r.number("attempts")
				return
			case r.isGuest && r.requestID != "":
				a.Logs = append(a.Logs, newLogLine(r))
			}
		}
	}
}

func newLogLine(r *record) logLine {
	line := logLine{Level: strings.ToLower(r.level.String()), Message: r.message}
	for _, attr := range r.guest {
		line.Attrs = append(line.Attrs, [2]string{attr.Key, attr.Value.String()})
	}
	return line
}

// showAnswer writes the answer; the exit code says whether it is a failure.
func (p *Commands) showAnswer(a *answer) error {
	show := p.tellAnswer
	if p.AsJSON {
		show = func(a *answer) error { return p.JSON(a) }
	}
	if err := show(a); err != nil {
		return err
	}
	if a.Status >= http.StatusInternalServerError {
		return cli.Ended(cli.ExitFailure)
	}
	return nil
}

// tellAnswer writes the body as data, everything else as messages.
func (p *Commands) tellAnswer(a *answer) error {
	p.Notices(a.Notices)
	p.Note("%s", p.Paint(p.Stderr, statusColour(int64(a.Status)), fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status))))
	for _, h := range a.Headers {
		p.Note("%s: %s", h[0], term.Printable(h[1]))
	}
	p.Note("")
	if err := p.Data(a.body); err != nil {
		return err
	}
	if term.IsTerminal(p.Stdout) && len(a.body) > 0 && a.body[len(a.body)-1] != '\n' {
		p.Note("") // what follows starts on a line of its own
	}
	for _, line := range a.Logs {
		p.Note("%s", p.logText(line))
	}
	if hint := a.missed(); hint != "" {
		p.Note("%s", hint)
	}
	p.Note("%s", p.Paint(p.Stderr, term.Grey, fmt.Sprintf("%.1f ms, %s, %s", a.Millis, a.Outcome, attemptsText(a.Attempts))))
	return nil
}

// missed tells the routes of a plugin when the request met none of them.
func (a *answer) missed() string {
	if a.Attempts > 0 || len(a.routes) == 0 || a.Status != http.StatusNotFound && a.Status != http.StatusMethodNotAllowed {
		return ""
	}
	return "no route of the plugin; it has " + strings.Join(a.routes, ", ")
}

// logText formats a guest's line, which may have several: those after the first are
// below its start, and so are attributes of several lines.
func (p *Commands) logText(line logLine) string {
	const margin = "          "
	var b, below strings.Builder
	fmt.Fprintf(&b, "    %-5s %s", line.Level, term.Indented(line.Message, margin))
	for _, a := range line.Attrs {
		name := term.Printable(a[0])
		if strings.Contains(a[1], "\n") {
			fmt.Fprintf(&below, "\n%s%s:\n%[1]s  %[3]s", margin, name, term.Indented(a[1], margin+"  "))
			continue
		}
		fmt.Fprintf(&b, " %s=%q", name, a[1])
	}
	return b.String() + below.String()
}

func attemptsText(n int64) string {
	if n == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", n)
}

func statusColour(status int64) string {
	switch {
	case status >= 500:
		return term.Red
	case status >= 400:
		return term.Yellow
	}
	return term.Green
}

// sortedHeader lists header fields by name; net/http keeps no order.
func sortedHeader(header http.Header) [][2]string {
	fields := [][2]string{}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fields = append(fields, [2]string{name, value})
		}
	}
	return fields
}
