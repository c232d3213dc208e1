// Package logline writes lines of a plugin's log for a person. Package remote shows
// them.
package logline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

const logTime = "2006-01-02 15:04:05.000"

// Text is a line of a log for a person: its time, level, version and request, the
// message, and what came with it. It is one line, as scripts want it, unless texts may
// be spread over as many as they have, the later ones indented.
func Text(p *term.Terminal, plugin string, l *adminapi.LogLine, spread bool) string {
	show := func(text, _ string) string { return term.OneLine(text) }
	if spread {
		show = term.Indented
	}
	grey := func(text string) string { return p.Paint(p.Stdout, term.Grey, text) }
	at := l.Time.Local().Format(logTime)
	if l.Dropped > 0 {
		return grey(at) + " " + strings.TrimPrefix(plugin+" ", " ") + p.Paint(p.Stdout, term.Yellow, droppedText(l))
	}
	parts := []string{grey(at), p.Paint(p.Stdout, levelColour(l.Level), fmt.Sprintf("%-5s", strings.ToUpper(term.Printable(l.Level))))}
	if plugin != "" {
		parts = append(parts, plugin)
	}
	if l.Version > 0 {
		parts = append(parts, grey(fmt.Sprintf("v%d", l.Version)))
	}
	if l.RequestID != "" {
		parts = append(parts, grey(term.Printable(l.RequestID)))
	}
	message, attributes := requestText(l)
	parts = append(parts, show(message, "  "))
	var blocks strings.Builder
	for _, a := range append(attributes, l.Guest...) {
		name := grey(term.OneLine(a.Name) + "=")
		if spread && strings.Contains(a.Value, "\n") {
			blocks.WriteString("\n  " + name + "\n    " + show(a.Value, "    "))
			continue
		}
		parts = append(parts, name+quoted(a.Value))
	}
	return strings.Join(parts, " ") + blocks.String()
}

// requestText is the message of a line, and its attributes of the host. Of the record of
// a request, which is a failed one, the message is made of what matters most.
func requestText(l *adminapi.LogLine) (message string, rest []adminapi.LogAttr) {
	of := map[string]string{}
	for _, a := range l.Attributes {
		of[a.Name] = a.Value
	}
	if l.Message != "request" || of["method"] == "" || of["path"] == "" || of["status"] == "" {
		return l.Message, slices.Clone(l.Attributes)
	}
	for _, a := range l.Attributes {
		switch {
		case a.Name == "outcome", a.Name == "error", a.Name == "attempts" && a.Value != "1":
			rest = append(rest, a)
		}
	}
	return fmt.Sprintf("%s %s: %s in %s ms", of["method"], of["path"], of["status"], of["ms"]), rest
}

// droppedText says how many lines are missing, and of which time.
func droppedText(l *adminapi.LogLine) string {
	lines := "lines were"
	if l.Dropped == 1 {
		lines = "line was"
	}
	text := fmt.Sprintf("... %s %s dropped", grouped(l.Dropped), lines)
	if l.From == nil {
		return text + " before this"
	}
	from, to := l.From.Local(), l.Time.Local()
	form := "15:04:05.000"
	if from.Format(time.DateOnly) != to.Format(time.DateOnly) {
		form = logTime
	}
	return text + " between " + from.Format(form) + " and " + to.Format(form)
}

// grouped writes a number with commas between its thousands.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// quoted is a value on one line, in quotes where it could be taken for more.
func quoted(value string) string {
	if value != "" && term.OneLine(value) == value && !strings.ContainsAny(value, " \t\"=") {
		return value
	}
	return strconv.Quote(value)
}

func levelColour(level string) string {
	switch level {
	case "error":
		return term.Red
	case "warn":
		return term.Yellow
	case "info":
		return term.Green
	}
	return term.Grey
}
