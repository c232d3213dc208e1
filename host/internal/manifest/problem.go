package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const op = "read the manifest"

const (
	// maxProblems is how many errors one answer lists.
	maxProblems = 10
	// enoughProblems is how many are collected, to list the first of the text.
	enoughProblems = 100
)

// position is a place in the text, counted from 1; columns count bytes.
type position struct{ line, column int }

// problem is one broken rule.
type problem struct {
	at   position
	key  string // full path, e.g. route[1].deadline; "" = the text as a whole
	text string
}

// invalid makes the error of a manifest from its problems, in the order of the
// text, one a line.
func invalid(file string, problems []problem) error {
	slices.SortStableFunc(problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.at.line, b.at.line), cmp.Compare(a.at.column, b.at.column))
	})
	var lines []string
	for i, p := range problems {
		if i == maxProblems {
			lines = append(lines, "and more")
			break
		}
		lines = append(lines, p.line(file))
	}
	return fault.New(fault.Invalid, op, strings.Join(lines, "\n"))
}

func (p problem) line(file string) string {
	text := p.text
	if p.key != "" {
		text = p.key + ": " + text
	}
	if p.at.line == 0 {
		return fmt.Sprintf("%s: %s", file, text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", file, p.at.line, p.at.column, text)
}

func missingVars(name string, missing []Var) error {
	var b strings.Builder
	var names []string
	for _, v := range missing {
		names = append(names, v.Name)
	}
	fmt.Fprintf(&b, "plugin %q needs a value for %s; set it with:", name, strings.Join(names, ", "))
	for _, v := range missing {
		fmt.Fprintf(&b, "\n  wasmoor %s set %s %s", v.Kind(), name, v.Name)
	}
	return fault.New(fault.Invalid, "resolve the config", b.String())
}

func blindVar(name, v string) error {
	return fault.New(fault.Invalid, "read the vars", fmt.Sprintf(
		"%s was set as a blind secret, which no guest may read, and this version would: give its var another name, or take the value away with: wasmoor secret unset %s %s", v, name, v))
}
