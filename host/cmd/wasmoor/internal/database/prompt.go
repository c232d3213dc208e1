package database

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/sqlite/statements"
)

// prompt runs the statements that a person types. One that fails ends nothing.
func (s *session) prompt() error {
	how := "reads only; --write changes"
	if s.write {
		how = "writes"
	}
	s.Note("database %s of %s (%s). Statements end with ; and .tables, .schema [TABLE], .quit work", s.of.Database, s.of.Name, how)
	var split statements.Splitter
	in := bufio.NewReader(s.Stdin)
	for {
		fmt.Fprint(s.Stderr, s.sign(&split))
		line, err := in.ReadString('\n')
		if word, isDot := strings.CutPrefix(strings.TrimSpace(line), "."); isDot && split.Rest() == "" {
			if s.dot(word) {
				return nil
			}
		} else {
			s.tell(split.Add(line))
		}
		if err != nil {
			fmt.Fprintln(s.Stderr)
			if errors.Is(err, io.EOF) {
				return s.unfinished()
			}
			return cli.FileError("read the terminal", err)
		}
	}
}

// sign is what stands before the line that is typed next.
func (s *session) sign(split *statements.Splitter) string {
	switch {
	case split.Rest() != "":
		return strings.Repeat(" ", max(0, len(s.of.Database)-3)) + "...> "
	case s.open:
		return s.of.Database + "*> "
	}
	return s.of.Database + "> "
}

// tell runs statements, and complains of those that fail.
func (s *session) tell(list []string) {
	for _, one := range list {
		if err := s.run(one); err != nil {
			s.Complain(fault.MessageOf(err))
		}
	}
}

// dot runs a command of the prompt, and reports whether it is to end.
func (s *session) dot(text string) (quit bool) {
	words := strings.Fields(text)
	if len(words) == 0 {
		words = []string{""}
	}
	switch {
	case words[0] == "quit" || words[0] == "exit":
		return true
	case words[0] == "tables":
		s.tell([]string{"SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"})
	case words[0] == "schema" && len(words) == 1:
		s.schema("")
	case words[0] == "schema":
		if !s.schema("AND tbl_name = '" + strings.ReplaceAll(words[1], "'", "''") + "' COLLATE NOCASE") {
			s.Complain(fmt.Sprintf("there is no table or view %q; .tables lists them", words[1]))
		}
	default:
		s.Complain(fmt.Sprintf("there is no .%s; there are .tables, .schema [TABLE] and .quit", words[0]))
	}
	return false
}

// schema shows the statements that made tables and what belongs to them. It returns false
// if there are none.
func (s *session) schema(which string) (found bool) {
	r, err := s.client.Query(s.ctx, s.of, adminapi.Query{Statement: "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL " + which + " ORDER BY rowid", Limit: adminapi.MaxQueryRows})
	if err != nil {
		s.Complain(fault.MessageOf(err))
		return true
	}
	for _, row := range r.Rows {
		for line := range strings.Lines(fmt.Sprint(row[0])) {
			fmt.Fprintln(s.Stdout, oneLine(strings.TrimRight(line, "\r\n")))
		}
	}
	return len(r.Rows) > 0
}
